import { type ChildProcess, spawn } from 'node:child_process'
import { helperMain } from './helper-main.ts'
import type { FromHelper, ToHelper } from './protocol.ts'

/** A running helper, as the runner sees it. */
export type Helper = {
  readonly pid: number | undefined
  readonly alive: boolean
  send(message: ToHelper): void
  /** Whether this process must stay up for the helper's answers. */
  hold(needed: boolean): void
  /** Asks it to end what it runs and itself. */
  close(): void
}

export type HelperEvents = { onMessage: (message: FromHelper) => void; onLost: () => void }

// `__name` is what bundlers that keep function names wrap functions in; it must exist where the text is run.
const program = `process.title = process.argv[1]; const __name = (f) => f; (${helperMain.toString()})()`

/** Starts a helper process under `title`. It lives until `close`, or until this process is gone: the channel between them tells it. */
export function startHelper(title: string, { onMessage, onLost }: HelperEvents): Helper {
  const options = ['--max-semi-space-size=1', '--max-old-space-size=64', '--no-warnings']
  const child: ChildProcess = spawn(process.execPath, [...options, '-e', program, title], {
    // Its environment is not the commands': they get their own. Nothing secret of the service's is handed on.
    env: { PATH: process.env['PATH'] ?? '' },
    cwd: '/',
    detached: true,
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let lost = false
  const lose = (): void => {
    if (lost) return
    lost = true
    onLost()
  }
  child.on('message', (message) => onMessage(message as FromHelper))
  child.once('error', lose)
  child.once('exit', lose)
  child.once('disconnect', lose)
  child.unref()
  child.channel?.unref()
  return {
    pid: child.pid,
    get alive() {
      return !lost && child.connected
    },
    send(message) {
      child.send(message, (error) => {
        if (error) lose()
      })
    },
    hold(needed) {
      if (needed) child.channel?.ref()
      else child.channel?.unref()
    },
    close() {
      if (child.connected) child.disconnect()
    },
  }
}

import net from 'node:net'
import path from 'node:path'
import readline from 'node:readline'
import { command, switchFlag, type Work } from '../command.ts'

export const down = command<{ readonly all: boolean }>({
  brief: 'Stop the services of this host; with --all its VMs too',
  full: 'Without --all the VMs keep running and are found again by the next start.',
  flags: { all: switchFlag('Stop the VMs and take down what they needed') },
  run: (work, flags) => askSupervisor(work, flags.all),
})

/** Asks the supervisor of this host, over its socket, to end; shows what it says until it is gone. */
async function askSupervisor({ cli, out, signal }: Work, all: boolean): Promise<void> {
  const socket = net.connect(path.join(cli.env.runDir, 'supervisor.sock'))
  signal.addEventListener('abort', () => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.on('connect', resolve)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const nobody = error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
      reject(nobody ? new Error('no supervisor runs on this host') : error)
    })
  })
  socket.write(`${JSON.stringify({ command: 'down', all })}\n`)
  let failed: string | undefined
  for await (const line of readline.createInterface({ input: socket })) {
    const said = JSON.parse(line) as { readonly progress?: string; readonly error?: string }
    if (said.progress) cli.process.stderr.write(`${said.progress}\n`)
    if (said.error) failed = said.error
  }
  if (failed) throw new Error(failed)
  out.line(all ? 'berth is down, and its VMs' : 'berth is down; VMs keep running')
}

import { killGroup } from '../process/kill.ts'
import { type ProcessIdentity, processIdentity } from '../process/identity.ts'
import { CommandFailed, type Failure } from './failed.ts'
import { type Helper, startHelper } from './helper-process.ts'
import type { FromHelper } from './protocol.ts'
import { type Limits, wrap } from './wrap.ts'

export type RunOptions = {
  /** The command and its whole group are ended after this many milliseconds. */
  timeoutMs: number
  /** Standard input; unset is empty. */
  input?: string | Uint8Array
  /** Added to a small fixed environment (`PATH`, `LC_ALL=C`); the service's own is never handed on. */
  env?: Record<string, string>
  /** Working directory; default `/`. */
  cwd?: string
  limits?: Limits
  /** Runs without privileges as this uid (and gid, default the same number). */
  uid?: number
  gid?: number
  /** Ends the command and its group. */
  signal?: AbortSignal
  /** Bound of stdout and stderr together; default 1 MiB. More ends the command. */
  maxOutputBytes?: number
  /** Throws stderr away, unread and uncounted; default false. */
  dropStderr?: boolean
  /** Exit codes that are no failure; default `[0]`. */
  okCodes?: number[]
}

export type RunResult = { stdout: string; stderr: string; code: number }

/** The one door to host commands. */
export type Runner = {
  /**
   * Runs a command to its end.
   *
   * @param argv program (looked up in a fixed PATH) and arguments; never a shell line
   * @throws CommandFailed for every end but an exit code of `okCodes`
   */
  run(argv: string[], options: RunOptions): Promise<RunResult>
}

export type RunnerLog = { debug(fields: object, text: string): void; warn(fields: object, text: string): void }

export type RunnerOptions = {
  logger: RunnerLog
  /** Process title of the helper; default `berth-run`. */
  title?: string
}

const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }
const nothing = { code: -1, stdout: '', stderr: '' }

type Pending = {
  argv: string[]
  okCodes: number[]
  helper: Helper
  startedAt: number
  group?: ProcessIdentity | undefined
  settle: (result: RunResult | CommandFailed) => void
}

/**
 * Starts the process that runs the service's commands: starting one from a service itself takes longer the more memory the service holds.
 * The helper is started again when it dies; what it ran then fails with `helper-lost` and is ended. Dispose ends helper and commands.
 */
export function createRunner({
  logger,
  title = 'berth-run',
}: RunnerOptions): Runner & Disposable & { readonly helperPid: number | undefined } {
  const pending = new Map<number, Pending>()
  let lastId = 0
  let closed = false
  let helper = start()

  function start(): Helper {
    const started: Helper = startHelper(title, {
      onMessage: receive,
      onLost: () => {
        if (!closed) logger.warn({ helper: started.pid }, 'command helper died; the next command starts another')
        for (const [id, waiting] of pending) if (waiting.helper === started) lose(id, waiting)
      },
    })
    return started
  }

  function lose(id: number, waiting: Pending): void {
    if (waiting.group) killGroup(waiting.group)
    settle(id, waiting, new CommandFailed({ argv: waiting.argv, failure: 'helper-lost', ...nothing }))
  }

  function settle(id: number, waiting: Pending, result: RunResult | CommandFailed): void {
    pending.delete(id)
    if (pending.size === 0) waiting.helper.hold(false)
    waiting.settle(result)
  }

  function receive(message: FromHelper): void {
    const waiting = pending.get(message.id)
    if (!waiting) return
    const { argv, okCodes, startedAt } = waiting
    if (message.type === 'spawned') {
      waiting.group = processIdentity(message.pid)
      return
    }
    if (message.type === 'refused') {
      return settle(message.id, waiting, new CommandFailed({ argv, failure: 'not-started', ...nothing, stderr: message.message }))
    }
    const result = { stdout: text(message.stdout), stderr: text(message.stderr), code: message.code ?? -1 }
    const { signal, endedBy } = message
    logger.debug({ argv, code: message.code, signal, endedBy, tookMs: Math.round(performance.now() - startedAt) }, 'command ended')
    const failure = failureOf(message, okCodes)
    settle(message.id, waiting, failure ? new CommandFailed({ argv, failure, signal, ...result }) : result)
  }

  function run(argv: string[], options: RunOptions): Promise<RunResult> {
    const { signal, timeoutMs, maxOutputBytes = 1024 * 1024, okCodes = [0], input, env, cwd = '/' } = options
    if (closed) return Promise.reject(new CommandFailed({ argv, failure: 'helper-lost', ...nothing }))
    if (signal?.aborted) return Promise.reject(new CommandFailed({ argv, failure: 'aborted', ...nothing }))
    if (!helper.alive) helper = start()
    const [id, chosen] = [++lastId, helper]
    return new Promise((resolve, reject) => {
      const abort = (): void => chosen.send({ type: 'kill', id })
      const finish = (result: RunResult | CommandFailed): void => {
        signal?.removeEventListener('abort', abort)
        if (result instanceof CommandFailed) reject(result)
        else resolve(result)
      }
      signal?.addEventListener('abort', abort, { once: true })
      pending.set(id, { argv, okCodes, helper: chosen, startedAt: performance.now(), settle: finish })
      chosen.hold(true)
      const bytes = typeof input === 'string' ? Buffer.from(input) : input
      chosen.send({
        type: 'run',
        id,
        argv: wrap(argv, options),
        env: { ...environment, ...env },
        cwd,
        input: bytes,
        timeoutMs,
        maxOutputBytes,
        dropStderr: options.dropStderr ?? false,
      })
    })
  }

  return {
    run,
    get helperPid() {
      return helper.pid
    },
    [Symbol.dispose]() {
      closed = true
      for (const [id, waiting] of pending) lose(id, waiting)
      helper.close()
    },
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

function failureOf(message: Extract<FromHelper, { type: 'ended' }>, okCodes: number[]): Failure | undefined {
  if (message.endedBy === 'timeout') return 'timeout'
  if (message.endedBy === 'abort') return 'aborted'
  if (message.endedBy === 'output') return 'output'
  if (message.code === null) return 'signal'
  if (okCodes.includes(message.code)) return undefined
  // 127 is what setpriv and prlimit answer when there is no such program.
  return message.code === 127 ? 'not-started' : 'exit'
}

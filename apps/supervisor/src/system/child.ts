import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@berth/telemetry'

const LOG_LIMIT_BYTES = 16 * 1024 * 1024
const FIRST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 10_000
/** A process that lived so long, and at least as long as the last pause, was well: what ended it is not what it does at its start. */
const WELL_MS = 5_000

/** A process to keep alive. */
export interface ChildSpec {
  readonly name: string
  readonly argv: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Its standard error is appended there; the previous one is kept as `.1` once it has grown past 16 MiB. */
  readonly logFile: string
  readonly logger: Logger
}

/** A process that is started again, with backoff, whenever it ends before it is told to. */
export interface Child {
  readonly name: string
  /** Undefined between a death and the next start. */
  readonly pid: number | undefined
  /** Ends it: SIGTERM, then SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>
}

/** Starts a process and keeps it alive. The kernel ends it when this process dies (parent-death signal). */
export function keepAlive(spec: ChildSpec): Child {
  const stopping = new AbortController()
  let child: ChildProcess | undefined
  const loop = run()

  async function run(): Promise<void> {
    // Tests kill a process many times in a row, and have no time to wait.
    const longestMs = Number(spec.env['BERTH_TEST_LONGEST_RESTART']) || LONGEST_BACKOFF_MS
    let backoffMs = FIRST_BACKOFF_MS
    while (!stopping.signal.aborted) {
      const startedAt = Date.now()
      let [code, signal]: [number | null, string | null] = [null, null]
      try {
        child = start(spec)
        ;[code, signal] = (await once(child, 'exit')) as [number | null, string | null]
      } catch (error) {
        // No room for its log, no descriptor, no process left: the next try may find them.
        spec.logger.error({ process: spec.name, err: error }, 'process could not be started')
      }
      child = undefined
      if (stopping.signal.aborted) return
      if (Date.now() - startedAt > Math.max(WELL_MS, backoffMs)) backoffMs = FIRST_BACKOFF_MS
      spec.logger.warn({ process: spec.name, code, signal, backoffMs }, 'process ended, starting it again')
      await delay(backoffMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      backoffMs = Math.min(longestMs, backoffMs * 2)
    }
  }

  return {
    name: spec.name,
    get pid() {
      return child?.pid
    },
    async stop(graceMs) {
      stopping.abort()
      const running = child
      running?.kill('SIGTERM')
      const force = setTimeout(() => running?.kill('SIGKILL'), graceMs)
      await loop
      clearTimeout(force)
    },
  }
}

function start(spec: ChildSpec): ChildProcess {
  const log = openLog(spec.logFile)
  try {
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...spec.argv], {
      cwd: '/',
      env: spec.env,
      detached: true,
      stdio: ['ignore', log, log],
    })
    child.on('error', (error) => {
      spec.logger.error({ process: spec.name, error: error.message }, 'process could not be started')
      child.emit('exit', null, null)
    })
    return child
  } finally {
    closeSync(log)
  }
}

function openLog(file: string): number {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 })
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`)
  return openSync(file, 'a', 0o640)
}

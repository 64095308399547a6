import { isBerthError } from '@berth/errors'
import type { Logger } from '@berth/telemetry'
import type { Next } from './next.ts'

const firstBackoffMs = 100
const longestBackoffMs = 30_000
/** What is away comes back within seconds, and work that waited for it goes on then. */
const longestAwayMs = 1_000

export type RunContext = {
  /** Aborts when the run shall stop: its reason says why. */
  signal: AbortSignal
  /** When the first of the runs in a row that threw did so, in Unix milliseconds; undefined on the first run, and after one that did not throw. */
  failingSinceMs: number | undefined
}

export type KeyedQueue = {
  /**
   * Runs the key soon; when it is running, once more after that. `patient` leaves a key that waits out its backoff alone; `since` a run that has
   * begun after that moment of the queue, since it sees what there is to see.
   */
  enqueue(key: string, options?: { patient?: boolean; since?: number }): void
  /** A moment of the queue: how many runs have begun. */
  now(): number
  /** Runs the key next, over the limit if need be, and resolves when that run has ended. @throws what the run throws, or the signal's reason */
  runNow(key: string, signal: AbortSignal): Promise<void>
  /** Aborts the present run of the key, if there is one, and runs it again. */
  interrupt(key: string, reason: Error): void
  /** Keys that run at present. */
  running(): string[]
  /** Begins nothing more, aborts what runs and waits for it. */
  stop(reason: Error): Promise<void>
}

type Waiter = { resolve: () => void; reject: (error: unknown) => void }
type Entry = {
  state: 'idle' | 'queued' | 'running'
  /** Woken while running. */
  again: boolean
  failures: number
  failingSinceMs: number | undefined
  timer: NodeJS.Timeout | undefined
  abort: AbortController | undefined
  waiters: Waiter[]
  /** Which of the queue's runs the last one was. */
  place: number
}

export type QueueOptions = {
  /** Runs at once at most. */
  concurrency: number
  run: (key: string, context: RunContext) => Promise<Next>
  logger: Logger
}

/** A queue in which a key is once at most and runs once at a time. First in, first out; a run that throws is repeated with growing pauses. */
export function keyedQueue({ concurrency, run, logger }: QueueOptions): KeyedQueue {
  const entries = new Map<string, Entry>()
  const order: string[] = []
  const runs = new Set<Promise<void>>()
  let begun = 0
  let stopped: Error | undefined

  function entryOf(key: string): Entry {
    const known = entries.get(key)
    if (known) return known
    const made: Entry = {
      state: 'idle',
      again: false,
      failures: 0,
      failingSinceMs: undefined,
      timer: undefined,
      abort: undefined,
      waiters: [],
      place: 0,
    }
    entries.set(key, made)
    return made
  }

  function enqueue(key: string, { patient = false, since = Number.POSITIVE_INFINITY } = {}): void {
    const entry = entryOf(key)
    if (stopped || entry.state === 'queued' || (patient && entry.timer)) return
    clearTimeout(entry.timer)
    entry.timer = undefined
    if (entry.state === 'running') {
      if (entry.place <= since) entry.again = true
      return
    }
    entry.state = 'queued'
    order.push(key)
    pump()
  }

  function pump(): void {
    while (runs.size < concurrency && order.length > 0 && !stopped) begin(order.shift() as string)
  }

  function begin(key: string): void {
    const entry = entryOf(key)
    entry.state = 'running'
    entry.again = false
    entry.place = begun += 1
    entry.abort = new AbortController()
    const waiters = entry.waiters.splice(0)
    const done: Promise<void> = run(key, { signal: entry.abort.signal, failingSinceMs: entry.failingSinceMs })
      .then(
        (next) => {
          entry.failures = 0
          entry.failingSinceMs = undefined
          for (const waiter of waiters) waiter.resolve()
          return next
        },
        (error: unknown) => failed(key, entry, waiters, error),
      )
      .then((next) => {
        runs.delete(done)
        rest(key, entry, next)
        pump()
      })
    runs.add(done)
  }

  function failed(key: string, entry: Entry, waiters: Waiter[], error: unknown): Next {
    const wanted = entry.abort?.signal.aborted ?? false
    for (const waiter of waiters) waiter.reject(error)
    if (wanted) return { again: true, afterMs: 0 }
    entry.failures += 1
    entry.failingSinceMs ??= Date.now()
    const longestMs = isBerthError(error) && error.code === 'UNAVAILABLE' ? longestAwayMs : longestBackoffMs
    const afterMs = Math.min(longestMs, firstBackoffMs * 2 ** (entry.failures - 1)) * (0.8 + 0.4 * Math.random())
    logger[isBerthError(error) ? 'warn' : 'error']({ err: error, key, attempt: entry.failures, afterMs }, 'reconcile failed')
    return { again: true, afterMs }
  }

  function rest(key: string, entry: Entry, next: Next): void {
    entry.state = 'idle'
    entry.abort = undefined
    if (stopped) return
    if (entry.again || entry.waiters.length > 0 || (next.again && next.afterMs <= 0)) enqueue(key)
    else if (next.again) entry.timer = setTimeout(() => enqueue(key), next.afterMs)
    else entries.delete(key)
  }

  return {
    enqueue,
    now: () => begun,
    running: () => [...entries].flatMap(([key, { state }]) => (state === 'running' ? [key] : [])),
    runNow(key, signal) {
      return new Promise((resolve, reject) => {
        if (stopped || signal.aborted) return reject(stopped ?? (signal.reason as Error))
        const abort = () => reject(signal.reason as Error)
        signal.addEventListener('abort', abort, { once: true })
        const end = () => signal.removeEventListener('abort', abort)
        const entry = entryOf(key)
        entry.waiters.push({ resolve: () => (end(), resolve()), reject: (error) => (end(), reject(error as Error)) })
        clearTimeout(entry.timer)
        entry.timer = undefined
        if (entry.state === 'running') return
        const at = order.indexOf(key)
        if (at >= 0) order.splice(at, 1)
        begin(key)
      })
    },
    interrupt(key, reason) {
      const entry = entries.get(key)
      if (entry?.state === 'running') {
        entry.again = true
        entry.abort?.abort(reason)
      } else enqueue(key)
    },
    async stop(reason) {
      stopped = reason
      for (const entry of entries.values()) {
        clearTimeout(entry.timer)
        entry.abort?.abort(reason)
        for (const waiter of entry.waiters.splice(0)) waiter.reject(reason)
      }
      await Promise.all(runs)
      entries.clear()
    },
  }
}

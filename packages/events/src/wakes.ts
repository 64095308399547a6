import type { Change } from '@berth/db'

export type Wakes = {
  /** Calls `listener` with every change heard of: commits of this process at once, others' through NATS. Returns the way to end that. */
  on(listener: (change: Change) => void): () => void
  /**
   * Resolves at the next change of the resource `id`, or after `timeoutMs`: look again in both cases. `end`: changes of an operation that goes on
   * are let pass. After a tenth of the time under BERTH_TEST_NO_EVENTS, as with `poll`. @throws the signal's reason
   */
  next(id: string, options: { signal: AbortSignal; timeoutMs: number; end?: boolean }): Promise<void>
  /** Calls `listener` when events of this service got their place in the order. */
  onSequenced(listener: () => void): () => void
  /**
   * Runs `look` about every `everyMs` (± 20 %) until the returned function is called. Not at all under BERTH_TEST_NO_POLL, and ten times as often
   * under BERTH_TEST_NO_EVENTS: whether polls carry all is tested there, not how long they take.
   */
  poll(everyMs: number, look: () => void): () => void
}

export type WakeSource = Wakes & { emit(change: Change): void; sequenced(): void }

/** For tests of the nets: without events only polls are left, without polls only events. */
export type Switches = { events: boolean; polls: boolean }

/** What tests have switched off for the whole process. */
export function switchesOfTests(): Switches {
  return { events: !process.env['BERTH_TEST_NO_EVENTS'], polls: !process.env['BERTH_TEST_NO_POLL'] }
}

/** Everybody who waits for something in one process. A wake says "look again", never what is so. */
export function createWakes(switches: Switches): WakeSource {
  // Whether looks without a reason carry all is tested, not how long they take.
  const hurry = switches.events ? 1 : 10
  const listeners = new Set<(change: Change) => void>()
  const sequenced = new Set<() => void>()
  const on = (listener: (change: Change) => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  return {
    on,
    onSequenced(listener) {
      sequenced.add(listener)
      return () => void sequenced.delete(listener)
    },
    next: (id, { signal, timeoutMs, end = false }) =>
      settleOnce(signal, timeoutMs / hurry, (done) =>
        on((change) => {
          if (change.id === id && !(end && change.over === false)) done()
        }),
      ),
    poll: (everyMs, look) => (switches.polls ? jittered(everyMs / hurry, look) : () => {}),
    emit(change) {
      if (switches.events) for (const listener of [...listeners]) listener(change)
    },
    sequenced() {
      if (switches.events) for (const listener of [...sequenced]) listener()
    },
  }
}

/** Waits for `subscribe` to call `done`, for the time to pass or for the signal. */
export function settleOnce(signal: AbortSignal, timeoutMs: number, subscribe: (done: () => void) => () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const end = (finish: () => void) => () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      unsubscribe()
      finish()
    }
    const done = end(resolve)
    const abort = end(() => reject(signal.reason as Error))
    const timer = setTimeout(done, timeoutMs)
    signal.addEventListener('abort', abort)
    const unsubscribe = subscribe(done)
  })
}

/** Not all replicas at the same moment. */
function jittered(everyMs: number, look: () => void): () => void {
  const delay = () => everyMs * (0.8 + 0.4 * Math.random())
  let timer = setTimeout(tick, delay())
  function tick() {
    timer = setTimeout(tick, delay())
    look()
  }
  return () => clearTimeout(timer)
}

/** Lets work on single ports run side by side, one at a time for each key, and work on the whole host between them. */
export interface Gate {
  /** Runs when no whole-host work runs and nothing of the same key does. `run`'s signal also aborts when the key is interrupted. */
  shared<T>(key: string, signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T>
  /**
   * Runs when no other whole-host work does, and lets no new work begin meanwhile. What runs already goes on: its keys are `busy`, and are to be left
   * alone, so that one piece of work that hangs holds up nobody else.
   */
  whole<T>(run: (busy: ReadonlySet<string>) => Promise<T>): Promise<T>
  /** Aborts what runs under the key. */
  interrupt(key: string, reason: Error): void
}

/** A gate in which everybody of one key is served in the order of coming. */
export function createGate(): Gate {
  const last = new Map<string, Promise<unknown>>()
  const running = new Map<string, AbortController>()
  let whole: Promise<unknown> = Promise.resolve()

  return {
    shared(key, signal, run) {
      const before = last.get(key) ?? Promise.resolve()
      const result = settledOf(before).then(async () => {
        // Whole-host work that came while this one waited goes first.
        let seen: Promise<unknown> | undefined
        while (seen !== whole) {
          seen = whole
          await settledOf(seen)
        }
        const interrupt = new AbortController()
        running.set(key, interrupt)
        try {
          signal.throwIfAborted()
          return await run(AbortSignal.any([signal, interrupt.signal]))
        } finally {
          running.delete(key)
        }
      })
      last.set(key, result)
      void settledOf(result).then(() => {
        if (last.get(key) === result) last.delete(key)
      })
      return result
    },
    whole(run) {
      const result = settledOf(whole).then(() => run(new Set(running.keys())))
      whole = settledOf(result)
      return result
    },
    interrupt(key, reason) {
      running.get(key)?.abort(reason)
    },
  }
}

function settledOf(promise: Promise<unknown>): Promise<void> {
  return promise.then(
    () => undefined,
    () => undefined,
  )
}

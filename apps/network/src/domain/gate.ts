/** Lets work on single ports run side by side, one at a time for each key, and work on the whole host alone. */
export interface Gate {
  /** Runs when no exclusive work runs and nothing of the same key does. */
  shared<T>(key: string, run: () => Promise<T>): Promise<T>
  /** Runs when nothing else does. */
  exclusive<T>(run: () => Promise<T>): Promise<T>
}

/** A gate in which everybody is served in the order of coming. */
export function createGate(): Gate {
  const keys = new Map<string, Promise<unknown>>()
  let whole: Promise<unknown> = Promise.resolve()
  const all = new Set<Promise<unknown>>()

  function follow<T>(before: Promise<unknown>[], run: () => Promise<T>): Promise<T> {
    const result = Promise.allSettled(before).then(run)
    const done = result.then(
      () => undefined,
      () => undefined,
    )
    all.add(done)
    void done.then(() => all.delete(done))
    return result
  }

  return {
    shared(key, run) {
      const result = follow([whole, keys.get(key) ?? Promise.resolve()], run)
      keys.set(key, result)
      const forget = () => {
        if (keys.get(key) === result) keys.delete(key)
      }
      result.then(forget, forget)
      return result
    },
    exclusive(run) {
      const result = follow([whole, ...all], run)
      whole = result
      return result
    },
  }
}

export type KeyedLock = <T>(key: string, signal: AbortSignal, work: () => Promise<T>) => Promise<T>

/**
 * Makes a lock with names: work under the same name runs one after the other, in the order of asking. Waiting ends with the signal, and nothing
 * begins after it.
 */
export function keyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>()
  return async (key, signal, work) => {
    const before = tails.get(key) ?? Promise.resolve()
    const { promise: done, resolve: finish } = Promise.withResolvers<void>()
    const tail = before.then(() => done)
    tails.set(key, tail)
    try {
      await abortable(before, signal)
      signal.throwIfAborted()
      return await work()
    } finally {
      finish()
      if (tails.get(key) === tail) tails.delete(key)
    }
  }
}

function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason as Error)
  const { promise: result, resolve, reject } = Promise.withResolvers<void>()
  const abort = () => reject(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([promise.then(resolve), result]).finally(() => signal.removeEventListener('abort', abort))
}

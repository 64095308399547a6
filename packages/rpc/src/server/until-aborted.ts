/** Settles like the promise, or rejects with the signal's reason when that fires first. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined)
    return Promise.reject(signal.reason as Error)
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/**
 * The items of a source until the signal fires; then the source is told to stop, without waiting for it, and the signal's
 * reason is thrown.
 */
export async function* itemsUntilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const item = await untilAborted(iterator.next(), signal)
      if (item.done) {
        ended = true
        return
      }
      yield item.value
    }
  } catch (error) {
    ended = !signal.aborted
    throw error
  } finally {
    if (!ended) Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

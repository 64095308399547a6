/**
 * Items of several streams as they come. A stream is asked for its next item only when its last one was taken, so a slow reader slows
 * them all. The first failure fails the whole; leaving the loop ends all streams.
 */
export async function* mergeStreams<T>(streams: AsyncIterable<T>[]): AsyncGenerator<T> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]())
  const pending = new Map(iterators.map((iterator, index) => [index, take(iterator, index)]))
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values())
      const iterator = iterators[index]
      if (result.done || !iterator) {
        pending.delete(index)
        continue
      }
      yield result.value
      pending.set(index, take(iterator, index))
    }
  } finally {
    for (const [index, promise] of pending) {
      promise.catch(() => undefined)
      Promise.resolve(iterators[index]?.return?.()).catch(() => undefined)
    }
  }
}

async function take<T>(iterator: AsyncIterator<T>, index: number): Promise<{ index: number; result: IteratorResult<T> }> {
  return { index, result: await iterator.next() }
}

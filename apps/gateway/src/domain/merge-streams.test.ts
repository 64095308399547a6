import { describe, expect, it } from 'vitest'
import { mergeStreams } from './merge-streams.ts'

async function* of<T>(items: T[], ended?: () => void): AsyncGenerator<T> {
  try {
    yield* items
  } finally {
    ended?.()
  }
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

describe('merged streams', () => {
  it('give every item, each stream’s in its order', async () => {
    const items = await collect(mergeStreams([of([1, 2, 3]), of([10, 20]), of<number>([])]))
    expect(items.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 10, 20])
    expect(items.filter((item) => item < 10)).toEqual([1, 2, 3])
  })

  it('fail when one fails, and end the others', async () => {
    let ended = false
    async function* broken(): AsyncGenerator<number> {
      yield 1
      throw new Error('broken')
    }
    const endless = async function* () {
      for (let i = 0; ; i++) {
        await new Promise((resolve) => setImmediate(resolve))
        yield i
      }
    }
    const other = (async function* () {
      try {
        yield* endless()
      } finally {
        ended = true
      }
    })()
    await expect(collect(mergeStreams([other, broken()]))).rejects.toThrow('broken')
    await expect.poll(() => ended).toBe(true)
  })

  it('end all streams when nobody reads any more', async () => {
    const ended: number[] = []
    for await (const _ of mergeStreams([of([1, 2], () => ended.push(1)), of([3, 4], () => ended.push(2))])) break
    await expect.poll(() => new Set(ended)).toEqual(new Set([1, 2]))
  })
})

import { describe, expect, it } from 'vitest'
import { mergeLists, type Position, type Source, start } from './merge-lists.ts'

type Item = { id: string; timeMs: number }
const order = { id: ({ id }: Item) => id, timeMs: ({ timeMs }: Item) => timeMs }

/** A service that gives pages of `size`, whose tokens are the place to go on. */
function source(name: string, items: Item[], size: number, position: Position = start): Source<Item> {
  return {
    name,
    position,
    async fetch(token) {
      const from = Number(token)
      const page = items.slice(from, from + size)
      return { items: page, nextToken: from + page.length < items.length ? String(from + page.length) : '' }
    },
  }
}

async function readAll(lists: Record<string, Item[]>, size: number, between: () => void = () => undefined): Promise<string[]> {
  const seen: string[] = []
  let positions: Record<string, Position> = {}
  for (;;) {
    const sources = Object.entries(lists).map(([name, items]) => source(name, items, size, positions[name]))
    const page = await mergeLists(sources, size, order)
    seen.push(...page.items.map(({ id }) => id))
    positions = page.positions
    if (Object.values(positions).every(({ done }) => done)) return seen
    between()
  }
}

const items = (name: string, times: number[]) => times.map((timeMs, index) => ({ id: `${name}_${String(index).padStart(3, '0')}`, timeMs }))

describe('a merged list', () => {
  it.each([1, 2, 3, 7, 100])('gives every item once, by time and then id, in pages of %i', async (size) => {
    const lists = { a: items('a', [1, 4, 4, 9, 12]), b: items('b', [2, 4, 5]), c: items('c', []), d: items('d', [3, 3, 3, 30]) }
    const expected = Object.values(lists)
      .flat()
      .toSorted((x, y) => x.timeMs - y.timeMs || (x.id < y.id ? -1 : 1))
      .map(({ id }) => id)
    expect(await readAll(lists, size)).toEqual(expected)
  })

  it('skips nothing and repeats nothing when items come in at the ends meanwhile', async () => {
    const lists = { a: items('a', [1, 5]), b: items('b', [2, 3, 4, 6]) }
    let more = 0
    const seen = await readAll(lists, 2, () => {
      if (more++ < 3) lists.b.push({ id: `b_9${more}`, timeMs: 100 + more })
    })
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toEqual(expect.arrayContaining(['a_000', 'a_001', 'b_000', 'b_001', 'b_002', 'b_003']))
  })

  it('goes on after an item that has gone meanwhile', async () => {
    const lists = { a: items('a', [1, 2, 3, 4, 5, 6]) }
    const first = await mergeLists([source('a', lists.a, 4)], 2, order)
    expect(first.items.map(({ id }) => id)).toEqual(['a_000', 'a_001'])
    lists.a.splice(1, 1)
    const second = await mergeLists([source('a', lists.a, 4, first.positions['a'])], 2, order)
    expect(second.items.map(({ id }) => id)).toEqual(['a_002', 'a_003'])
  })
})

import { expect, it } from 'vitest'
import { admission } from './admission.ts'

function fixture(slots: number) {
  const told: number[][] = []
  const woken: string[] = []
  const queue = admission({
    slots,
    enqueue: (key) => woken.push(key),
    operations: { positions: (places) => told.push([...places.values()]) },
  })
  return { queue, told, woken }
}

it('admits in the order of coming, and tells places that are distinct and only fall', () => {
  const { queue, told, woken } = fixture(2)
  const keys = Array.from({ length: 6 }, (_, n) => `k${n}`)
  expect(keys.map((key) => queue.enter(key, `op-${key}`))).toEqual([true, true, false, false, false, false])
  expect(told.at(-1)).toEqual([1, 2, 3, 4])
  expect(queue.enter('k5', 'op-k5')).toBe(false)
  queue.leave('k1')
  expect(woken).toEqual(['k2'])
  expect(queue.enter('k3', 'op-k3')).toBe(false)
  expect(queue.enter('k2', 'op-k2')).toBe(true)
  expect(told.at(-1)).toEqual([1, 2, 3, 0])
})

it('gives the place of one that goes away to those behind', () => {
  const { queue, told, woken } = fixture(1)
  for (const key of ['a', 'b', 'c']) queue.enter(key, key)
  queue.leave('b')
  expect(told.at(-1)).toEqual([1])
  queue.leave('a')
  expect(woken.at(-1)).toBe('c')
  expect(queue.enter('c', 'c')).toBe(true)
  expect(queue.waiting()).toBe(0)
})

it('lets work that had begun before a restart go on, whatever the number', () => {
  const { queue } = fixture(1)
  expect(queue.enter('a', 'a', { running: true })).toBe(true)
  expect(queue.enter('b', 'b', { running: true })).toBe(true)
  expect(queue.enter('c', 'c')).toBe(false)
  queue.leave('a')
  expect(queue.enter('c', 'c')).toBe(false)
  queue.leave('b')
  expect(queue.enter('c', 'c')).toBe(true)
})

it('forgets nobody when several slots come free', () => {
  const { queue, woken } = fixture(2)
  for (const key of ['a', 'b', 'c', 'd']) queue.enter(key, key)
  queue.leave('a')
  queue.leave('b')
  expect(new Set(woken)).toEqual(new Set(['c', 'd']))
})

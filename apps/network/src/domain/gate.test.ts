import { expect, it } from 'vitest'
import { createGate } from './gate.ts'

function work(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const run = async () => {
    log.push(`${name} begins`)
    await promise
    log.push(`${name} ends`)
  }
  return { run, finish: resolve }
}

it('lets different keys run side by side, the same key in turn, and whole-host work alone', async () => {
  const gate = createGate()
  const log: string[] = []
  const [a1, a2, b, whole, c] = ['a1', 'a2', 'b', 'whole', 'c'].map((name) => work(log, name))
  if (!a1 || !a2 || !b || !whole || !c) throw new Error('no work')
  const all = [gate.shared('a', a1.run), gate.shared('a', a2.run), gate.shared('b', b.run), gate.exclusive(whole.run), gate.shared('c', c.run)]
  for (const one of [whole, c, a2, b, a1]) one.finish()
  await Promise.all(all)
  expect(log.indexOf('b begins')).toBeLessThan(log.indexOf('a1 ends'))
  expect(log.indexOf('a2 begins')).toBeGreaterThan(log.indexOf('a1 ends'))
  expect(log.indexOf('whole begins')).toBeGreaterThan(log.indexOf('a2 ends'))
  expect(log.indexOf('c begins')).toBeGreaterThan(log.indexOf('whole ends'))
})

it('goes on after work that fails', async () => {
  const gate = createGate()
  await expect(gate.shared('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await gate.shared('a', async () => 1)).toBe(1)
  await expect(gate.exclusive(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await gate.exclusive(async () => 2)).toBe(2)
})

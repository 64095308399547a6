import { expect, it } from 'vitest'
import { createGate } from './gate.ts'

const { signal } = new AbortController()

function work(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const run = async () => {
    log.push(`${name} begins`)
    await promise
    log.push(`${name} ends`)
  }
  return { run, finish: resolve }
}

const tick = () => new Promise((resolve) => setImmediate(resolve))

it('lets different keys run side by side and the same key in turn', async () => {
  const gate = createGate()
  const log: string[] = []
  const [a1, a2, b] = [work(log, 'a1'), work(log, 'a2'), work(log, 'b')]
  const all = [gate.shared('a', signal, a1.run), gate.shared('a', signal, a2.run), gate.shared('b', signal, b.run)]
  await tick()
  expect(log).toEqual(['a1 begins', 'b begins'])
  for (const one of [a2, b, a1]) one.finish()
  await Promise.all(all)
  expect(log.indexOf('a2 begins')).toBeGreaterThan(log.indexOf('a1 ends'))
})

it('runs whole-host work beside what runs already, names that, and lets nothing new begin', async () => {
  const gate = createGate()
  const log: string[] = []
  const [a, b, host] = [work(log, 'a'), work(log, 'b'), work(log, 'host')]
  const first = gate.shared('a', signal, a.run)
  await tick()
  const whole = gate.whole(async (busy) => {
    log.push([...busy].join())
    await host.run()
  })
  const second = gate.shared('b', signal, b.run)
  await tick()
  expect(log).toEqual(['a begins', 'a', 'host begins'])
  host.finish()
  b.finish()
  await Promise.all([whole, second])
  expect(log.slice(3)).toEqual(['host ends', 'b begins', 'b ends'])
  a.finish()
  await first
})

it('interrupts what runs under a key, and goes on after work that fails', async () => {
  const gate = createGate()
  const stuck = gate.shared(
    'a',
    signal,
    (own) => new Promise((_, reject) => own.addEventListener('abort', () => reject(own.reason as Error))),
  )
  await tick()
  gate.interrupt('a', new Error('released'))
  await expect(stuck).rejects.toThrow('released')
  expect(await gate.shared('a', signal, async () => 1)).toBe(1)
  await expect(gate.whole(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await gate.whole(async () => 2)).toBe(2)
})

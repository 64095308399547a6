import { describe, expect, it } from 'vitest'
import { keyedLock } from './keyed-lock.ts'

const never = new AbortController().signal

describe('a lock with names', () => {
  it('runs work under one name one after the other, other names beside it', async () => {
    const lock = keyedLock()
    const log: string[] = []
    const gate = Promise.withResolvers<void>()
    const first = lock('a', never, async () => {
      log.push('first')
      await gate.promise
      log.push('first ends')
    })
    const second = lock('a', never, async () => void log.push('second'))
    await lock('b', never, async () => void log.push('other'))
    expect(log).toEqual(['first', 'other'])
    gate.resolve()
    await Promise.all([first, second])
    expect(log).toEqual(['first', 'other', 'first ends', 'second'])
  })

  it('goes on after work that failed', async () => {
    const lock = keyedLock()
    await expect(lock('a', never, () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    expect(await lock('a', never, async () => 1)).toBe(1)
  })

  it('lets a waiter leave without letting the next one in too early', async () => {
    const lock = keyedLock()
    const log: string[] = []
    const gate = Promise.withResolvers<void>()
    const first = lock('a', never, () => gate.promise.then(() => void log.push('first')))
    const control = new AbortController()
    const second = lock('a', control.signal, async () => void log.push('second'))
    const third = lock('a', never, async () => void log.push('third'))
    control.abort(new Error('left'))
    await expect(second).rejects.toThrow('left')
    expect(log).toEqual([])
    gate.resolve()
    await Promise.all([first, third])
    expect(log).toEqual(['first', 'third'])
  })
})

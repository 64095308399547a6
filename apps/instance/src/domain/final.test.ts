import { failedPrecondition, unavailable } from '@berth/errors'
import { expect, it } from 'vitest'
import { isFinal } from './final.ts'

const away = unavailable('UNAVAILABLE', 'the volume service is away')
const nowMs = 1_000_000

it('what may pass is tried for a minute from its first failure, however long ago it was asked for', () => {
  const asked = (secondsAgo: number, failingFor?: number) => ({
    askedMs: nowMs - secondsAgo * 1000,
    failingSinceMs: failingFor === undefined ? undefined : nowMs - failingFor * 1000,
  })
  expect(isFinal(away, asked(600), nowMs)).toBe(false)
  expect(isFinal(away, asked(600, 59), nowMs)).toBe(false)
  expect(isFinal(away, asked(600, 61), nowMs)).toBe(true)
})

it('what is asked for after a minute of failures has a minute of its own', () => {
  expect(isFinal(away, { askedMs: nowMs - 5_000, failingSinceMs: nowMs - 600_000 }, nowMs)).toBe(false)
})

it('what does not pass is final at once, and what only time can end never is', () => {
  const first = { askedMs: nowMs, failingSinceMs: undefined }
  expect(isFinal(failedPrecondition('IMAGE_IN_USE', 'no'), first, nowMs)).toBe(true)
  expect(isFinal(new Error('a defect'), first, nowMs)).toBe(true)
  expect(isFinal(unavailable('STILL_HELD', 'held'), { askedMs: 0, failingSinceMs: 1 }, nowMs)).toBe(false)
})

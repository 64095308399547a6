import { expect, test } from 'vitest'
import { waitInCrowd, waitWith } from './agent-wait.ts'

test('an agent has longer where more boot at once than there are CPUs, at most five times', () => {
  expect(waitInCrowd(60_000, 2, 2)).toBe(60_000)
  expect(waitInCrowd(60_000, 1, 4)).toBe(60_000)
  expect(waitInCrowd(60_000, 6, 2)).toBe(180_000)
  expect(waitInCrowd(60_000, 100, 2)).toBe(300_000)
})

test('an agent has twice as long without KVM', () => {
  expect(waitWith('tcg', 60_000)).toBe(120_000)
  expect(waitWith('kvm', 60_000)).toBe(60_000)
})

import { expect, test } from 'vitest'
import { newEnough, rustFolders } from './rust.mjs'

test('the oldest compiler that builds the apps is 1.88', () => {
  expect(newEnough('rustc 1.88.0 (abc 2026-01-01)')).toBe(true)
  expect(newEnough('rustc 1.96.0')).toBe(true)
  expect(newEnough('rustc 1.63.0')).toBe(false)
  expect(newEnough('')).toBe(false)
})

test("rustup's folder is looked into though it is not in PATH", () => {
  expect(rustFolders({ HOME: '/home/u' })).toContain('/home/u/.cargo/bin')
})

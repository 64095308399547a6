import { expect, test } from 'vitest'
import { ancestors } from './ancestors.mjs'

test('the nearest ancestor is the parent', () => {
  expect(ancestors(1)).toEqual([process.ppid])
})

test('process 1 and those that are gone end the line', () => {
  expect(ancestors(50).every((pid) => pid > 1)).toBe(true)
  expect(ancestors(3, 2 ** 22 + 1)).toEqual([])
})

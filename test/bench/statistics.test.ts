import { expect, it } from 'vitest'
import { halves, median, percentile, spread } from './statistics.ts'

it('a median lies in the middle, between two when their number is even', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(() => median([])).toThrow(RangeError)
})

it('percentiles are interpolated', () => {
  expect(percentile([0, 10], 0.9)).toBe(9)
  expect(percentile([7], 0.9)).toBe(7)
})

it('the spread is half of the middle four fifths, relative to the median', () => {
  expect(spread([0, 50, 100, 150, 200])).toBeCloseTo(0.8)
  expect(spread([5, 5, 5])).toBe(0)
})

it('halves alternate', () => {
  expect(halves([1, 2, 3, 4, 5])).toEqual([
    [1, 3, 5],
    [2, 4],
  ])
})

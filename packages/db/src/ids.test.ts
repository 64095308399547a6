import { expect, it, vi } from 'vitest'
import { newId } from './ids.ts'

it('makes ids that grow, within a millisecond and when the clock steps back', () => {
  const ids = Array.from({ length: 2000 }, () => newId('ins'))
  vi.spyOn(Date, 'now').mockReturnValue(1)
  ids.push(newId('ins'), newId('ins'))
  vi.restoreAllMocks()
  expect(ids).toEqual(ids.toSorted())
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^ins_[0-9a-hjkmnp-tv-z]{26}$/)
})

import { expect, it } from 'vitest'
import { parseFilter } from './filter.ts'

const fields = ['name', 'state', 'label']

it('reads terms joined by and, quoted or not', () => {
  expect(parseFilter('', fields)).toEqual([])
  expect(parseFilter('name=a and label.app/x="b and c" and state = READY', fields)).toEqual([
    { field: 'name', value: 'a' },
    { field: 'label.app/x', value: 'b and c' },
    { field: 'state', value: 'READY' },
  ])
  expect(parseFilter('name=""', fields)).toEqual([{ field: 'name', value: '' }])
})

it('refuses what it cannot read, and fields it does not know', () => {
  for (const bad of [
    'name',
    'name=a or name=b',
    'colour=red',
    'label=x',
    'name.x=y',
    '=a',
    'name=a and',
    'name=a b',
    "name=a'; drop table x",
  ])
    expect(() => parseFilter(bad, fields), bad).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'BAD_FILTER' }))
})

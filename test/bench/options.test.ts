import { expect, it } from 'vitest'
import { parseOptions } from './options.ts'

it('without words everything is measured, in thirty pairs', () => {
  expect(parseOptions([])).toEqual({ pairs: 30, parts: ['create', 'recorder', 'exec', 'memory'], json: false, help: false })
})

it('some parts can be chosen; their order stays', () => {
  expect(parseOptions(['--pairs', '3', '--only', 'exec,create', '-o', 'json'])).toMatchObject({
    pairs: 3,
    parts: ['create', 'exec'],
    json: true,
  })
})

it('unknown parts, formats and counts are refused', () => {
  for (const words of [
    ['--only', 'dance'],
    ['-o', 'xml'],
    ['--pairs', '0'],
    ['--pairs', 'many'],
  ])
    expect(() => parseOptions(words)).toThrow()
})

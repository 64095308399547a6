import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { formatAge, formatBytes, formatMs, parseBytes, parseDuration } from './format.ts'

describe('sizes', () => {
  it('are read in IEC units, with or without the B', () => {
    expect(['1024', '512MiB', '2G', '1.5GiB', '8gib'].map(parseBytes)).toEqual([1024n, 536870912n, 2147483648n, 1610612736n, 8589934592n])
  })

  it('are refused when they are not sizes', () => {
    for (const text of ['', 'GiB', '-1', '1e9', '5 apples']) expect(() => parseBytes(text)).toThrow('is not a size')
  })

  it('are printed in the unit that keeps them short', () => {
    expect([0n, 1023n, 536870912n, 1610612736n, 8589934592n].map(formatBytes)).toEqual(['0B', '1023B', '512MiB', '1.5GiB', '8GiB'])
  })
})

describe('durations', () => {
  it('are read as Go writes them', () => {
    expect(['30s', '250ms', '1h30m'].map(parseDuration)).toEqual([30_000, 250, 5_400_000])
  })

  it('are refused without a unit', () => {
    for (const text of ['30', '', 's', '5 m']) expect(() => parseDuration(text)).toThrow('is not a duration')
  })

  it('are printed in milliseconds below a second', () => {
    expect([240.4, 1234].map(formatMs)).toEqual(['240 ms', '1.2 s'])
  })
})

it('ages go from seconds to days as they grow', () => {
  const now = 1_000_000_000
  const ages = [5, 119, 120, 7200, 172_800].map((seconds) => formatAge(timestampFromMs(now - seconds * 1000), now))
  expect(ages).toEqual(['5s', '119s', '2m', '2h', '2d'])
  expect(formatAge(undefined)).toBe('<unset>')
})

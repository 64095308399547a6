import { describe, expect, it } from 'vitest'
import { compare, type Expected, type Found } from './audit.ts'

const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string]
const copy = { imageId: 'img_1', ready: true, digest: a, parts: [a, b], extra: [] as string[] }
const clean: Expected = { copies: [copy], kernels: [{ id: 'knl_1', folder: 'k', here: true }] }
const found: Found = { blobs: [a, b], roots: [`${a}.erofs`], kernels: ['k'], tmp: [] }
const names = (expected: Expected, on: Partial<Found>) =>
  compare(expected, { ...found, ...on }).map(({ side, name }) => `${side} ${name.slice(0, 20)}`)

describe('the audit', () => {
  it('finds nothing where both agree', () => expect(names(clean, {})).toEqual([]))

  it('names what is on the host alone, of every kind', () => {
    const more = { blobs: [a, b, c], roots: [`${a}.erofs`, 'x.erofs'], kernels: ['k', 'l'], tmp: ['blob-x'] }
    expect(names(clean, more).toSorted()).toEqual([
      `HOST_ONLY blobs/sha256/ccccccc`,
      'HOST_ONLY kernels/l',
      'HOST_ONLY roots/x.erofs',
      'HOST_ONLY tmp/blob-x',
    ])
  })

  it('names what is in the database alone, of every kind', () => {
    expect(names(clean, { blobs: [a], roots: [], kernels: [] }).toSorted()).toEqual([
      'DATABASE_ONLY blobs/sha256/bbbbbbb',
      'DATABASE_ONLY kernels/k',
      'DATABASE_ONLY roots/aaaaaaaaaaaaaa',
    ])
  })

  it('bears what is on its way, there or not, and kernels of other hosts', () => {
    const working = { ...copy, ready: false }
    expect(names({ copies: [working], kernels: [{ id: 'knl_2', folder: 'k', here: false }] }, { tmp: [`root-${a}`, `blob-${b}`] })).toEqual(
      [],
    )
    expect(names({ copies: [working], kernels: [] }, { blobs: [], roots: [], kernels: [] })).toEqual([])
  })
})

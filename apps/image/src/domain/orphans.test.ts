import { expect, it } from 'vitest'
import { orphanFiles } from './orphans.ts'

const hex = 'ab'.repeat(32)
const nobody = { copies: [], kernels: [] }
const removable = (found: Partial<Parameters<typeof orphanFiles>[1]>, open = new Map<string, number>()) =>
  orphanFiles(nobody, { blobs: [], roots: [], kernels: [], tmp: [], ...found }, open)
    .filter(({ keep }) => keep === undefined)
    .map(({ name }) => name)

it('lets go what bears a name of our making', () => {
  const found = { blobs: [hex], roots: [`${hex}.erofs`], kernels: [`${hex}-${hex}`], tmp: [`blob-${hex}`, `kernel-${hex}-${hex}`] }
  expect(removable(found)).toHaveLength(5)
})

it('keeps everything else, and what is open', () => {
  expect(removable({ blobs: ['notes.txt', `${hex}0`, '..'], roots: [hex], kernels: [hex], tmp: ['blob-x', `${hex}`] })).toEqual([])
  expect(removable({ roots: [`${hex}.erofs`] }, new Map([[`roots/${hex}.erofs`, 7]]))).toEqual([])
})

it('keeps what a row names', () => {
  const copy = { imageId: 'img_a', ready: true, digest: hex, parts: [hex], extra: [] }
  const found = { blobs: [hex], roots: [`${hex}.erofs`], kernels: [], tmp: [] }
  expect(orphanFiles({ copies: [copy], kernels: [] }, found, new Map())).toEqual([])
})

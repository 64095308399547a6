import { expect, test } from 'vitest'
import { deal, SIDE_BY_SIDE, TIERS } from './tiers.mjs'

test('every tier runs, once', () => {
  expect(SIDE_BY_SIDE.flat().toSorted()).toEqual(Object.keys(TIERS).toSorted())
})

test('every file is dealt, once, and no hand has all the long ones', () => {
  const files = ['disks', 'kills', 'holds', 'audit', 'same', 'two-hosts'].map((name) => `test/faults/${name}.test.ts`)
  const hands = deal(files, 3)
  expect(hands.flat().toSorted()).toEqual(files.toSorted())
  expect(hands.map((hand) => hand.filter((file) => /disks|kills|holds/.test(file)).length)).toEqual([1, 1, 1])
})

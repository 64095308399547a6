import { expect, it } from 'vitest'
import { parseOptions } from './options.ts'
import { KINDS, type Round, rounds, SERVICES } from './plan.ts'

const first = (count: number, seed: number): Round[] => {
  const plan = rounds(seed, 4)
  return Array.from({ length: count }, () => plan.next().value)
}

it('decides the same for the same seed, and otherwise for another', () => {
  expect(first(50, 7)).toEqual(first(50, 7))
  expect(first(50, 7)).not.toEqual(first(50, 8))
})

it('shoots at everything before it begins again', () => {
  const shots = first(50, 3).flatMap((round) => round.shots)
  const kinds = Object.keys(KINDS)
  expect(new Set(shots.slice(0, kinds.length).map(({ kind }) => kind))).toEqual(new Set(kinds))
  expect(new Set(shots.filter(({ kind }) => kind.endsWith('-service')).map(({ target }) => target))).toEqual(new Set(SERVICES))
})

it('runs in a guest and makes one in every round, and shoots only at guests that are kept', () => {
  for (const { places, shots } of first(200, 11)) {
    expect(places).toContain('keep')
    expect(places).toContain('renew')
    for (const { kind, target } of shots) if (KINDS[kind] === 'guest') expect(places[Number(target)]).toBe('keep')
  }
})

it('takes whole numbers only, and a seed by the clock when none is given', () => {
  expect(parseOptions(['--minutes', '5', '--seed', '12'])).toEqual({ minutes: 5, seed: 12, guests: undefined, help: false })
  expect(parseOptions([], () => 1_234_567).seed).toBe(234_567)
  for (const wrong of [
    ['--minutes', '0'],
    ['--seed', '1.5'],
    ['--seed', ''],
    ['--guests', 'many'],
  ])
    expect(() => parseOptions(wrong)).toThrow('a whole number')
})

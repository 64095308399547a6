import { expect, test } from 'vitest'
import { added, cargoResult, checkResult, summary, withExit } from './results.mjs'

const output = `
running 3 tests
test a::one ... ok
test a::two ... ignored, needs a tty
test b ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
`

test('counts of several cargo test binaries are added up and ignored tests keep their reason', () => {
  expect(cargoResult(output)).toEqual({ passed: 3, failed: 1, skipped: [{ name: 'a::two', reason: 'needs a tty' }] })
})

test('a tier that crashed without a failed test counts as one failure', () => {
  expect(withExit({ passed: 4, failed: 0, skipped: [] }, false).failed).toBe(1)
  expect(withExit({ passed: 4, failed: 2, skipped: [] }, false).failed).toBe(2)
  expect(withExit(checkResult(true), true)).toEqual(checkResult(true))
})

test('a tier that ran in parts has the counts and the skipped tests of all', () => {
  expect(added([cargoResult(output), checkResult(false)])).toEqual({
    passed: 3,
    failed: 2,
    skipped: [{ name: 'a::two', reason: 'needs a tty' }],
  })
})

test('the sum stands alone on the last line, below the reasons of what was skipped', () => {
  const lines = summary([
    { name: 'buf', result: checkResult(true), seconds: 0.2 },
    { name: 'rust', result: cargoResult(output), seconds: 12 },
  ])
  expect(lines.at(-1)).toBe('4 passed, 1 failed, 1 skipped')
  expect(lines.at(-2)).toBe('skipped: a::two: needs a tty')
})

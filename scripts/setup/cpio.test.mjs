import { expect, test } from 'vitest'
import { cpio } from './cpio.mjs'

const entries = [
  { kind: 'folder', name: 'dev', permissions: 0o755 },
  { kind: 'character', name: 'dev/console', permissions: 0o600, device: [5, 1] },
  { kind: 'file', name: 'init', permissions: 0o755, data: Buffer.from('hello') },
]

test('an archive is the same bytes every time', () => {
  expect(cpio(entries).equals(cpio(entries))).toBe(true)
})

test('records carry mode, size and device where the kernel looks for them', () => {
  const bytes = cpio(entries)
  const field = (start, index) => Number.parseInt(bytes.subarray(start + 6 + 8 * index, start + 14 + 8 * index).toString(), 16)
  const console_ = bytes.indexOf('dev/console') - 110
  expect([field(console_, 1), field(console_, 9), field(console_, 10)]).toEqual([0o020600, 5, 1])
  const init = bytes.indexOf('init\0') - 110
  expect([field(init, 1), field(init, 6)]).toEqual([0o100755, 5])
})

test('every record starts on a multiple of four and the trailer comes last', () => {
  const bytes = cpio(entries)
  expect(bytes.length % 4).toBe(0)
  for (let at = bytes.indexOf('070701'); at >= 0; at = bytes.indexOf('070701', at + 1)) expect(at % 4).toBe(0)
  expect(bytes.lastIndexOf('TRAILER!!!')).toBe(bytes.length - 14)
})

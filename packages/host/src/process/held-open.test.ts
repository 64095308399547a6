import { mkdirSync, mkdtempSync, openSync, closeSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { heldOpen } from './held-open.ts'

it('finds a file that this process has open, and no other', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'berth-open-'))
  writeFileSync(path.join(folder, 'closed'), '')
  const fd = openSync(path.join(folder, 'open'), 'w')
  expect([...(await heldOpen({ folder })).files]).toEqual([['open', process.pid]])
  closeSync(fd)
  rmSync(folder, { recursive: true })
})

it('names a tap by what the kernel says of its descriptor', async () => {
  const procDir = mkdtempSync(path.join(tmpdir(), 'berth-open-'))
  mkdirSync(path.join(procDir, '7'))
  writeFileSync(path.join(procDir, '7/stat'), `7 (qemu) S 1 7 7 0 -1 4194560 ${'0 '.repeat(12)}4711 0 0`)
  for (const part of ['7/fd', '7/fdinfo']) mkdirSync(path.join(procDir, part), { recursive: true })
  for (const [fd, text] of [
    ['3', 'pos:\t0\niff:\tbtabcd\n'],
    ['4', 'pos:\t0\niff:\t\n'],
  ] as const) {
    symlinkSync('/dev/net/tun', path.join(procDir, '7/fd', fd))
    writeFileSync(path.join(procDir, '7/fdinfo', fd), text)
  }
  expect([...(await heldOpen({ procDir })).taps]).toEqual([['btabcd', 7]])
  rmSync(procDir, { recursive: true })
})

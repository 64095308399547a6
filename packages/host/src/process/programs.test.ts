import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { programs } from './programs.ts'

it('lists what runs a program: no kernel thread, no zombie, nothing that is no process', async () => {
  const procDir = mkdtempSync(path.join(tmpdir(), 'berth-programs-'))
  const kinds = { 1: 'S 0 1 1 0 -1 4194560', 2: 'S 0 0 0 0 -1 2129984', 7: 'D 1 7 7 0 -1 4194560', 8: 'Z 1 7 7 0 -1 4194560' }
  for (const [pid, kind] of Object.entries(kinds)) {
    mkdirSync(path.join(procDir, pid))
    writeFileSync(path.join(procDir, pid, 'stat'), `${pid} (a name) ${kind} ${'0 '.repeat(12)}4711 0 0`)
  }
  for (const other of ['9', 'sys']) mkdirSync(path.join(procDir, other))
  expect(await Array.fromAsync(programs(procDir))).toEqual([1, 7])
  expect(await Array.fromAsync(programs())).toContain(process.pid)
  rmSync(procDir, { recursive: true })
})

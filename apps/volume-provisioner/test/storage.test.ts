import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createRunner } from '@berth/host'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StorageBackend } from '../src/domain/ports.ts'
import { directoryPool } from '../src/host/directory-pool.ts'
import { recorderPool } from '../src/host/recorder-pool.ts'

const mebibyte = 1024 ** 2
const id = (letter: string) => `vol_${letter.repeat(26)}`
const { signal } = new AbortController()

describe.each(['directory', 'recorder'] as const)('storage: %s', (kind) => {
  let runner: ReturnType<typeof createRunner>
  let folder: string
  let pool: StorageBackend

  beforeAll(async () => {
    runner = createRunner({ logger: { debug() {}, warn() {} }, title: 'berth-test-run' })
    folder = mkdtempSync(path.join(tmpdir(), 'berth-pool-'))
    const options = { folder, name: 'default', reserveBytes: 0, runner }
    pool = kind === 'directory' ? await directoryPool(options) : recorderPool(options)
  })
  afterAll(() => {
    runner[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  it('has a disk once it was made, of the size asked for, for root alone', async () => {
    expect(await pool.find(id('a'))).toBeUndefined()
    await pool.createEmpty(id('a'), 20 * mebibyte, signal)
    await pool.createScratch(id('b'), 17 * mebibyte, signal)
    expect(await pool.find(id('a'))).toMatchObject({ sizeBytes: 20 * mebibyte, allocatedBytes: 0, uid: 0, gid: 0, mode: 0o600 })
    expect(await pool.find(id('b'))).toMatchObject({ sizeBytes: 17 * mebibyte, uid: 0, gid: 0, mode: 0o600 })
    expect((await pool.entries()).map((entry) => String(entry.id)).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([id('a'), id('b')])
  })

  it('gives a disk to whom it is told', async () => {
    const access = { uid: 64_001, gid: 64_001, mode: 0o600 }
    await pool.setAccess(id('a'), access)
    expect(await pool.find(id('a'))).toMatchObject(access)
  })

  it('removes a disk, and again', async () => {
    await pool.remove(id('a'))
    await pool.remove(id('a'))
    expect(await pool.find(id('a'))).toBeUndefined()
    expect((await pool.entries()).map((entry) => entry.id)).toEqual([id('b')])
  })

  it('has room and a path for every disk', async () => {
    expect((await pool.room()).freeBytes).toBeGreaterThan(0)
    expect(pool.pathOf(id('c'))).toBe(path.join(folder, `${id('c')}.raw`))
  })
})

import { existsSync, linkSync, mkdtempSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createRunner, fakeRunner } from '@berth/host'
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest'
import { directoryPool } from '../src/host/directory-pool.ts'
import { templateSize } from '../src/host/scratch-template.ts'
import type { StorageBackend } from '../src/domain/ports.ts'

const gibibyte = 1024 ** 3
const id = (letter: string) => `vol_${letter.repeat(26)}`
const { signal } = new AbortController()
let runner: ReturnType<typeof createRunner>
let folder: string
let pool: StorageBackend

beforeAll(() => {
  runner = createRunner({ logger: { debug() {}, warn() {} }, title: 'berth-test-run' })
})
afterAll(() => runner[Symbol.dispose]())
beforeEach(async () => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), 'berth-pool-')), 'default')
  pool = await directoryPool({ folder, name: 'default', reserveBytes: 0, runner })
})
afterEach(() => rmSync(path.dirname(folder), { recursive: true, force: true }))

describe('the directory pool', () => {
  it('makes a disk of zeroes that takes no room and belongs to root', async () => {
    expect(await pool.find(id('a'))).toBeUndefined()
    expect(await pool.createEmpty(id('a'), gibibyte, signal)).toMatchObject({ method: 'sparse' })
    expect(await pool.find(id('a'))).toEqual({ sizeBytes: gibibyte, allocatedBytes: 0, uid: 0, gid: 0, mode: 0o600 })
  })

  it('makes scratch disks with a sound file system of their own, small on the disk', async () => {
    for (const [letter, sizeBytes] of Object.entries({ a: 16 * 1024 ** 2, b: 300 * 1024 ** 2, c: 10 * gibibyte })) {
      const { method, reason } = await pool.createScratch(id(letter), sizeBytes, signal)
      expect([method, reason].join(': ')).toMatch(/^(reflink|sparse-copy): ./)
      const found = await pool.find(id(letter))
      expect(found).toMatchObject({ sizeBytes, uid: 0, mode: 0o600 })
      expect(found?.allocatedBytes).toBeLessThan(8 * 1024 ** 2)
      const { stdout } = await runner.run(['e2fsck', '-fn', pool.pathOf(id(letter))], { timeoutMs: 30_000 })
      expect(stdout).toContain('scratch: 11/')
      const { stdout: about } = await runner.run(['dumpe2fs', pool.pathOf(id(letter))], { timeoutMs: 30_000 })
      expect(about).toContain('has_journal')
      expect(Number(/Block count: +(\d+)/.exec(about)?.[1]) * 4096).toBe(templateSize(sizeBytes))
      // Else the guest would write zeroes over all inode tables in the background.
      expect(about.split('\n').filter((line) => /^Group \d+:/.test(line) && !line.includes('ITABLE_ZEROED'))).toEqual([])
    }
  })

  it('makes the template once for many at the same time', async () => {
    const letters = 'abcdefghjk'.split('')
    await Promise.all(letters.map((letter) => pool.createScratch(id(letter), gibibyte, signal)))
    expect((await pool.entries()).map((entry) => entry.kind)).toEqual(letters.map(() => 'disk'))
    expect(existsSync(path.join(folder, 'templates', `ext4-1-${gibibyte}.raw`))).toBe(true)
  })

  it('makes a template again that somebody removed', async () => {
    await pool.createScratch(id('a'), gibibyte, signal)
    unlinkSync(path.join(folder, 'templates', `ext4-1-${gibibyte}.raw`))
    await expect(pool.createScratch(id('b'), gibibyte, signal)).rejects.toThrow()
    await pool.createScratch(id('b'), gibibyte, signal)
    expect(await pool.find(id('b'))).toBeDefined()
  })

  it('replaces what a crash left half made, and never shows it as a disk', async () => {
    writeFileSync(`${pool.pathOf(id('a'))}.tmp`, 'half')
    expect(await pool.find(id('a'))).toBeUndefined()
    expect(await pool.entries()).toEqual([{ name: `${id('a')}.raw.tmp`, id: id('a'), kind: 'unfinished' }])
    await pool.createScratch(id('a'), gibibyte, signal)
    expect(await pool.entries()).toEqual([{ name: `${id('a')}.raw`, id: id('a'), kind: 'disk' }])
  })

  it('grants and takes back by owner, group and mode', async () => {
    await pool.createEmpty(id('a'), gibibyte, signal)
    await pool.setAccess(id('a'), { uid: 64_001, gid: 64_001, mode: 0o600 })
    const asVm = (argv: string[], uid = 64_001) => runner.run(argv, { timeoutMs: 5_000, uid, okCodes: [0, 1] })
    await runner.run(['chmod', '711', path.dirname(folder)], { timeoutMs: 5_000 })
    expect((await asVm(['test', '-w', pool.pathOf(id('a'))])).code).toBe(0)
    expect((await asVm(['test', '-r', pool.pathOf(id('a'))], 64_002)).code).toBe(1)
    expect((await asVm(['test', '-r', folder])).code).toBe(1)
    await pool.setAccess(id('a'), { uid: 0, gid: 64_001, mode: 0o440 })
    expect((await asVm(['test', '-r', pool.pathOf(id('a'))])).code).toBe(0)
    expect((await asVm(['test', '-w', pool.pathOf(id('a'))])).code).toBe(1)
    await pool.setAccess(id('a'), { uid: 0, gid: 0, mode: 0o600 })
    expect((await asVm(['test', '-r', pool.pathOf(id('a'))])).code).toBe(1)
  })

  it('removes what the id names and nothing else', async () => {
    for (const letter of 'ab') await pool.createEmpty(id(letter), gibibyte, signal)
    writeFileSync(`${pool.pathOf(id('a'))}.tmp`, 'half')
    await pool.remove(id('a'))
    await pool.remove(id('a'))
    expect((await pool.entries()).map(({ name }) => name)).toEqual([`${id('b')}.raw`])
  })

  it('does not take a link, or a file with another name elsewhere, for a disk', async () => {
    const victim = path.join(path.dirname(folder), 'victim')
    writeFileSync(victim, 'precious')
    symlinkSync(victim, pool.pathOf(id('a')))
    linkSync(victim, pool.pathOf(id('b')))
    for (const letter of 'ab') {
      await expect(pool.find(id(letter))).rejects.toThrow('is not a plain file')
      await expect(pool.setAccess(id(letter), { uid: 64_001, gid: 64_001, mode: 0o600 })).rejects.toThrow('is not a plain file')
    }
    expect(statSync(victim).uid).toBe(0)
    expect(await pool.entries()).toHaveLength(2)
  })

  it('names what is not its own', async () => {
    writeFileSync(path.join(folder, 'notes.txt'), 'mine')
    expect(await pool.entries()).toEqual([{ name: 'notes.txt', id: undefined, kind: 'foreign' }])
  })

  it('says that the pool is full when the file system is', async () => {
    // What mkfs says on a full disk, from the script: filling a real one would need a mount of its own.
    const limited = fakeRunner([{ argv: /^mkfs.ext4 /, code: 1, stderr: 'mkfs.ext4: No space left on device while writing out' }])
    const small = await directoryPool({ folder: `${folder}-small`, name: 'small', reserveBytes: 0, runner: limited })
    const failing = small.createScratch(id('a'), gibibyte, signal)
    await expect(failing).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'POOL_FULL', metadata: { pool: 'small' } })
    expect(await small.entries()).toEqual([])
  })

  it('stops when its caller gives up, and leaves nothing half made', async () => {
    await expect(pool.createScratch(id('a'), gibibyte, AbortSignal.abort())).rejects.toThrow()
    expect(await pool.entries()).toEqual([])
  })
})

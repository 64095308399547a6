import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRunner } from '../run/runner.ts'
import { atomicWrite, durableRename } from './atomic-write.ts'
import { cloneFile } from './clone.ts'
import { freeBytes, spaceOf } from './space.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'berth-files-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('writes a file whole, with its mode, and leaves no other name', async () => {
  const file = path.join(folder, 'a.json')
  writeFileSync(`${file}.tmp`, 'left by a crash, and longer than what follows')
  await atomicWrite(file, 'first')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await atomicWrite(file, 'second', { mode: 0o644 })
  expect(await readFile(file, 'utf8')).toBe('second')
  expect((await stat(file)).mode & 0o777).toBe(0o644)
  expect(await readdir(folder)).toEqual(['a.json'])
})

it('keeps the old file when the new one cannot be written', async () => {
  await expect(atomicWrite(path.join(folder, 'no/such/folder'), 'x')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(durableRename(path.join(folder, 'missing'), path.join(folder, 'a.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await readFile(path.join(folder, 'a.json'), 'utf8')).toBe('second')
})

it('clones a large sparse file in the room of what it holds, and says how and why', async () => {
  const [from, to] = [path.join(folder, 'from.raw'), path.join(folder, 'to.raw')]
  writeFileSync(from, 'head')
  truncateSync(from, 4 * 1024 ** 3)
  {
    await using handle = await open(from, 'r+')
    await handle.write('tail', 2 * 1024 ** 3)
  }
  using runner = createRunner({ logger: { debug() {}, warn() {} } })
  const { method, reason } = await cloneFile(runner, from, to)
  expect(reason).toMatch(method === 'reflink' ? /shares blocks/ : /cannot share blocks/)
  const { size, blocks } = statSync(to)
  expect(size).toBe(4 * 1024 ** 3)
  expect(blocks * 512).toBeLessThan(1024 * 1024)
  await using handle = await open(to)
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 2 * 1024 ** 3)
  expect(buffer.toString()).toBe('tail')
})

it('does not hide that the source is missing', async () => {
  using runner = createRunner({ logger: { debug() {}, warn() {} } })
  await expect(cloneFile(runner, path.join(folder, 'missing'), path.join(folder, 'x'))).rejects.toMatchObject({ code: 'ENOENT' })
})

it('tells the room of a file system', async () => {
  const { freeBytes: free, totalBytes } = await spaceOf(folder)
  expect(free).toBeGreaterThan(0)
  expect(totalBytes).toBeGreaterThanOrEqual(free)
  expect(await freeBytes(folder)).toBeGreaterThan(0)
})

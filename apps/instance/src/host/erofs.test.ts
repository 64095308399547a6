import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { erofsWithFile } from './erofs.ts'

test.each([0, 1, 4096, 4097, 70_000])('a file of %i bytes is what the tools of the file system read back', (size) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'erofs-'))
  try {
    const content = Buffer.alloc(size, 'config ')
    const image = path.join(folder, 'config.erofs')
    writeFileSync(image, erofsWithFile('config.binpb', content))
    execFileSync('fsck.erofs', [`--extract=${path.join(folder, 'out')}`, image], { stdio: 'pipe' })
    expect(readFileSync(path.join(folder, 'out/config.binpb')).equals(content)).toBe(true)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the same content is the same image', () => {
  expect(Buffer.compare(erofsWithFile('a', Buffer.from('x')), erofsWithFile('a', Buffer.from('x')))).toBe(0)
})

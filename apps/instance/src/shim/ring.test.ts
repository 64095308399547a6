import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { readRing } from './ring.ts'

const file = path.join(tmpdir(), `berth-ring-${process.pid}`)
afterEach(() => rmSync(file, { force: true }))

/** A ring of 8 bytes after this text. */
function ringOf(text: string): void {
  const image = Buffer.alloc(4096 + 8)
  image.write('BRTHRNG1')
  image.writeBigUInt64BE(8n, 8)
  image.writeBigUInt64BE(BigInt(text.length), 16)
  for (const [offset, byte] of Buffer.from(text).entries()) image[4096 + (offset % 8)] = byte
  writeFileSync(file, image)
}

async function read(range: { offset?: number; tailBytes?: number }) {
  let [text, next] = ['', -1]
  for await (const { data, nextOffset } of readRing(file, { offset: 0, tailBytes: 0, follow: false, ...range })) {
    text += Buffer.from(data).toString()
    next = nextOffset
  }
  return [text, next]
}

test.each([
  ['what it holds, in order, when it has wrapped', 'abcdefghijk', {}, ['defghijk', 11]],
  ['from an offset that is still there', 'abcdefghijk', { offset: 6 }, ['ghijk', 11]],
  ['from the oldest when the offset is gone', 'abcdefghijk', { offset: 1 }, ['defghijk', 11]],
  ['nothing from the end on', 'abcdefghijk', { offset: 11 }, ['', -1]],
  ['the last bytes', 'abcdefghijk', { tailBytes: 3 }, ['ijk', 11]],
  ['all when the tail is longer', 'abc', { tailBytes: 100 }, ['abc', 3]],
])('a ring gives %s', async (_, text, range, expected) => {
  ringOf(text)
  expect(await read(range)).toEqual(expected)
})

test('a file that is no ring, or not there, gives nothing', async () => {
  expect(await read({})).toEqual(['', -1])
  writeFileSync(file, 'something else')
  expect(await read({})).toEqual(['', -1])
})

import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { extractVmlinux } from './bzimage.mjs'

function elf() {
  const bytes = Buffer.alloc(256)
  bytes.write('\x7fELF', 'latin1')
  bytes.writeUInt16LE(62, 18)
  return bytes
}

/** A kernel image with one setup sector, gzip payload and the size after it; gzip's own last four bytes are that size. */
function bzImage(kernel, size = kernel.length) {
  const head = Buffer.alloc(1024)
  const packed = gzipSync(kernel)
  head[0x1f1] = 1
  head.write('HdrS', 0x202, 'latin1')
  head.writeUInt32LE(0, 0x248)
  head.writeUInt32LE(packed.length + 4, 0x24c)
  const tail = Buffer.alloc(4)
  tail.writeUInt32LE(size)
  return Buffer.concat([head, packed, tail])
}

test('the kernel comes out of its image as it went in', async () => {
  expect((await extractVmlinux(bzImage(elf()))).equals(elf())).toBe(true)
})

test('something else than a kernel image is refused', async () => {
  await expect(extractVmlinux(Buffer.alloc(4096))).rejects.toThrow('not a bzImage')
})

test('an image that is cut short, or lies about its size, is refused', async () => {
  await expect(extractVmlinux(bzImage(elf()).subarray(0, 1040))).rejects.toThrow('cut short')
  await expect(extractVmlinux(bzImage(elf(), 999))).rejects.toThrow('its image says 999')
})

test('a payload that is no ELF is refused', async () => {
  await expect(extractVmlinux(bzImage(Buffer.alloc(256)))).rejects.toThrow('no x86-64 ELF')
})

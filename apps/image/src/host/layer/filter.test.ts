import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { type LayerEntry, packLayer } from '@berth/host/oci-tar'
import { describe, expect, it } from 'vitest'
import { readPax, readTarHeader } from './tar-header.ts'
import { filterLayer } from './filter.ts'

/** Passes an archive through in pieces of an awkward size and gathers what comes out. */
async function filtered(archive: Buffer, piece = 700): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(archive.length / piece) }, (_, index) =>
    archive.subarray(index * piece, (index + 1) * piece),
  )
  const parts: Buffer[] = []
  for await (const part of filterLayer(Readable.from(pieces), { entries: 0, newest: 0 }, () => undefined)) parts.push(part)
  return Buffer.concat(parts)
}

async function survivors(entries: LayerEntry[]): Promise<string[]> {
  const archive = await filtered(packLayer(entries))
  const names: string[] = []
  for (let offset = 0; offset < archive.length; ) {
    const header = readTarHeader(archive.subarray(offset, offset + 512))
    if (!header) break
    const body = archive.subarray(offset + 512, offset + 512 + header.sizeBytes)
    names.push(header.flag === 'x' ? `pax ${[...readPax(body).keys()].join(' ')}` : header.path)
    offset += 512 + Math.ceil(header.sizeBytes / 512) * 512
  }
  return names
}

const long = `${'d'.repeat(120)}/${'f'.repeat(200)}`

describe('the layer filter', () => {
  it('passes ordinary entries on byte for byte, however the bytes come in', async () => {
    const entries: LayerEntry[] = [
      { path: 'etc', type: 'directory' },
      { path: 'etc/motd', content: 'x'.repeat(5000), mode: 0o4755, uid: 3_000_000, mtime: 9 },
      { path: 'link', type: 'symlink', target: '/etc/motd' },
      { path: 'hard', type: 'hardlink', target: 'etc/motd' },
      { path: long, content: 'y', xattrs: { 'security.capability': Buffer.from([1, 0, 255]) } },
      { path: 'pipe', type: 'fifo' },
    ]
    const archive = packLayer(entries)
    for (const piece of [1, 512, 700, archive.length]) {
      const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
      expect(digest(await filtered(archive, piece))).toBe(digest(archive))
    }
  })

  it('cleans names of harmless clutter', async () => {
    expect(await survivors([{ path: './', type: 'directory' }, { path: './a//b/./c' }, { path: 'old-style/' }])).toEqual([
      './',
      'a/b/c',
      'old-style',
    ])
  })

  it.each<[string, LayerEntry]>([
    ['climbing', { path: '../x' }],
    ['climbing later', { path: 'a/../../x' }],
    ['absolute', { path: '/abs' }],
    ['empty', { path: '' }],
    ['a file named as the root', { path: '.' }],
    ['a symlink named as the root', { path: './', type: 'symlink', target: 'x' }],
    ['a part of 256 bytes', { path: 'x'.repeat(256) }],
    ['4097 bytes', { path: `${'x/'.repeat(2048)}xx` }],
    ['a hardlink that climbs', { path: 'a', type: 'hardlink', target: '../../etc/shadow' }],
    ['an absolute hardlink', { path: 'a', type: 'hardlink', target: '/etc/shadow' }],
    ['a symlink to nothing', { path: 'a', type: 'symlink', target: '' }],
    ['a whiteout of nothing', { path: 'a/.wh.' }],
    ['a whiteout of the folder above', { path: 'a/.wh...' }],
    ['an entry below a whiteout', { path: '.wh.a/b' }],
  ])('refuses a name that is bad: %s', async (_, entry) => {
    await expect(survivors([entry])).rejects.toThrow(/entry|whiteout|symlink/)
  })

  it('leaves out device nodes and attributes that would steer the guest or the host', async () => {
    const xattrs = { 'trusted.overlay.opaque': Buffer.from('y'), 'security.selinux': Buffer.from('x'), 'user.a': Buffer.from('1') }
    const entries: LayerEntry[] = [
      { path: 'dev/null', type: 'char' },
      { path: 'dev/sda', type: 'block' },
      { path: 'a', xattrs },
    ]
    expect(await survivors(entries)).toEqual(['pax SCHILY.xattr.user.a', 'a'])
  })

  it('lets whiteouts hide lower layers only', async () => {
    const entries: LayerEntry[] = [
      { path: 'gone/.wh.x', content: 'ignored' },
      { path: 'd/.wh..wh..opq' },
      { path: '.wh..wh.plnk' },
      { path: 'file' },
      { path: '.wh.file' },
      { path: 'dir', type: 'directory' },
      { path: 'dir/a' },
      { path: '.wh.dir' },
    ]
    expect(await survivors(entries)).toEqual(['gone/.wh.x', 'd/.wh..wh..opq', 'file', 'dir', 'dir/a', 'dir/.wh..wh..opq'])
  })

  it('refuses archives that are cut, garbled, sparse or lie about sizes', async () => {
    const archive = packLayer([{ path: 'a', content: 'x'.repeat(2000) }])
    const patched = (offset: number, bytes: Buffer) => {
      const copy = Buffer.from(archive)
      bytes.copy(copy, offset)
      copy.fill(' ', 148, 156)
      copy.write(
        `${copy
          .subarray(0, 512)
          .reduce((sum, byte) => sum + byte, 0)
          .toString(8)
          .padStart(6, '0')}\0 `,
        148,
        'latin1',
      )
      return copy
    }
    await expect(filtered(archive.subarray(0, 1500))).rejects.toThrow(/ends within/)
    await expect(filtered(Buffer.alloc(1024, 0x31))).rejects.toThrow(/checksum/)
    await expect(filtered(patched(156, Buffer.from('S')))).rejects.toThrow(/type/)
    await expect(filtered(patched(124, Buffer.alloc(12, 0xff)))).rejects.toThrow(/number/)
    await expect(filtered(patched(124, Buffer.from([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])))).rejects.toThrow(
      /number/,
    )
    await expect(filtered(patched(0, Buffer.from([0xc3, 0x28])))).rejects.toThrow(/UTF-8/)
  })
})

const TRAILER = 'TRAILER!!!'
const KIND = { folder: 0o040000, file: 0o100000, character: 0o020000 }

function padded(buffer) {
  const rest = (4 - (buffer.length % 4)) % 4
  return rest === 0 ? buffer : Buffer.concat([buffer, Buffer.alloc(rest)])
}

function record({ name, mode, links, data = Buffer.alloc(0), device = [0, 0] }, inode) {
  const bytes = Buffer.from(`${name}\0`)
  const numbers = [inode, mode, 0, 0, links, 0, data.length, 0, 0, device[0], device[1], bytes.length, 0]
  const header = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), bytes])), padded(data)])
}

/**
 * Writes an archive in the kernel's own initramfs format (newc; Documentation/driver-api/early-userspace/buffer-format.rst).
 * The same entries give the same bytes: owner root, time 0, inodes counted from 1.
 *
 * @param entries `{kind: 'folder'|'file'|'character', name, permissions, data?, device?}` in the order they are unpacked; parents come first
 */
export function cpio(entries) {
  const records = entries.map((entry, index) =>
    record({ ...entry, mode: KIND[entry.kind] | entry.permissions, links: entry.kind === 'folder' ? 2 : 1 }, index + 1),
  )
  return Buffer.concat([...records, record({ name: TRAILER, mode: 0, links: 1 }, 0)])
}

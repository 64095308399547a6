const block = 4096
const magic = 0xe0f5e1e2
/** Inodes are counted in slots of 32 bytes from the start; the first free slot after the superblock (1024 + 128 bytes) is 36. */
const slot = 32
const rootSlot = 36
const fileSlot = 37
const [modeFolder, modeFile] = [0o040755, 0o100444]
const [typeFile, typeFolder] = [1, 2]

/**
 * An EROFS image with one file in its root: uncompressed, without checksum, time 0, the same bytes for the same content.
 * Layout as in the kernel's Documentation/filesystems/erofs.rst: block 0 superblock and inodes, block 1 the root's entries, then the file.
 *
 * @param name at most 255 bytes, sorted after `..`
 */
export function erofsWithFile(name: string, content: Uint8Array): Uint8Array {
  const fileBlocks = Math.ceil(content.length / block)
  const image = Buffer.alloc((2 + fileBlocks) * block)
  superblock(image.subarray(1024), 2 + fileBlocks)
  const folder = entries([
    { name: '.', slot: rootSlot, type: typeFolder },
    { name: '..', slot: rootSlot, type: typeFolder },
    { name, slot: fileSlot, type: typeFile },
  ])
  inode(image.subarray(rootSlot * slot), { mode: modeFolder, links: 2, size: folder.length, firstBlock: 1, number: 1 })
  inode(image.subarray(fileSlot * slot), { mode: modeFile, links: 1, size: content.length, firstBlock: 2, number: 2 })
  folder.copy(image, block)
  image.set(content, 2 * block)
  return image
}

function superblock(at: Buffer, blocks: number): void {
  at.writeUInt32LE(magic, 0)
  at.writeUInt8(Math.log2(block), 12)
  at.writeUInt16LE(rootSlot, 14)
  at.writeBigUInt64LE(2n, 16) // inodes
  at.writeUInt32LE(blocks, 36)
}

type Inode = { mode: number; links: number; size: number; firstBlock: number; number: number }

/** The compact form, data in whole blocks (`EROFS_INODE_FLAT_PLAIN`): both are zero bits of the format word. */
function inode(at: Buffer, { mode, links, size, firstBlock, number }: Inode): void {
  at.writeUInt16LE(mode, 4)
  at.writeUInt16LE(links, 6)
  at.writeUInt32LE(size, 8)
  at.writeUInt32LE(firstBlock, 16)
  at.writeUInt32LE(number, 20)
}

type Entry = { name: string; slot: number; type: number }

function entries(list: Entry[]): Buffer {
  const head = Buffer.alloc(list.length * 12)
  let nameAt = head.length
  for (const [index, { name, slot: nid, type }] of list.entries()) {
    head.writeBigUInt64LE(BigInt(nid), index * 12)
    head.writeUInt16LE(nameAt, index * 12 + 8)
    head.writeUInt8(type, index * 12 + 10)
    nameAt += Buffer.byteLength(name)
  }
  return Buffer.concat([head, ...list.map(({ name }) => Buffer.from(name))])
}

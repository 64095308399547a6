/** One entry of a layer. Everything but `path` has a default that suits an ordinary file. */
export interface LayerEntry {
  /** Path inside the image, without a leading slash. A base name beginning with `.wh.` is a whiteout. */
  path: string
  /** Default `file`. */
  type?: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'char' | 'block'
  /** Content of a file; default empty. */
  content?: string | Uint8Array
  /** Target of a symlink or hardlink. */
  target?: string
  /** Permission bits; default 0755 for directories, 0644 otherwise. */
  mode?: number
  /** Default 0 (root). */
  uid?: number
  /** Default 0 (root). */
  gid?: number
  /** Seconds since 1970; default 0, so that the same entries give the same bytes. */
  mtime?: number
  /** Extended attributes, e.g. `security.capability`. */
  xattrs?: Record<string, Uint8Array>
}

const FLAGS = { file: '0', hardlink: '1', symlink: '2', char: '3', block: '4', directory: '5', fifo: '6' } as const
const BLOCK = 512

/** Packs entries into a tar archive (pax), in the order given. The names are taken as they are: tests make hostile ones with it. */
export function packLayer(entries: readonly LayerEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '')
    return [packHeader(entry, content.length), content, Buffer.alloc(paddingAfter(content.length))]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

/** Bytes of zeros that follow content of this size in a tar archive. */
export const paddingAfter = (sizeBytes: number): number => (BLOCK - (sizeBytes % BLOCK)) % BLOCK

/**
 * The header blocks of one entry: a pax header for what does not fit the old format, then the old one.
 *
 * @param sizeBytes size of the content that follows; `entry.content` is not looked at
 */
export function packHeader(entry: LayerEntry, sizeBytes: number): Buffer {
  const records = paxRecords(entry, sizeBytes)
  const { mode = defaultMode(entry), type = 'file', ...rest } = entry
  const own = header({ ...rest, flag: FLAGS[type], mode, size: sizeBytes })
  if (records.length === 0) return own
  const extended = header({ path: 'PaxHeaders/entry', flag: 'x', mode: 0o644, size: records.length })
  return Buffer.concat([extended, records, Buffer.alloc(paddingAfter(records.length)), own])
}

const defaultMode = (entry: LayerEntry) => (entry.type === 'directory' || entry.type === 'symlink' ? 0o755 : 0o644)

interface Header {
  path: string
  flag: string
  mode: number
  size: number
  target?: string
  uid?: number
  gid?: number
  mtime?: number
}

function header(fields: Header): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, offset: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset, 'latin1')
  block.write(fields.path.slice(0, 100), 0, 100, 'utf8')
  octal(fields.mode, 100, 8)
  octal(fields.uid ?? 0, 108, 8)
  octal(fields.gid ?? 0, 116, 8)
  octal(fields.size, 124, 12)
  octal(fields.mtime ?? 0, 136, 12)
  block.write(fields.flag, 156, 'latin1')
  block.write((fields.target ?? '').slice(0, 100), 157, 100, 'utf8')
  block.write('ustar\x0000', 257, 'latin1')
  if (fields.flag === '3' || fields.flag === '4') {
    octal(1, 329, 8)
    octal(3, 337, 8)
  }
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

const mostOctal = (width: number) => 8 ** (width - 1) - 1

function paxRecords(entry: LayerEntry, sizeBytes: number): Buffer {
  const records: Buffer[] = []
  const text = (key: string, value: string, fits: boolean) => {
    if (!fits) records.push(paxRecord(key, Buffer.from(value)))
  }
  const number = (key: string, value: number, width: number) => text(key, String(value), value >= 0 && value <= mostOctal(width))
  text('path', entry.path, Buffer.byteLength(entry.path) <= 100)
  text('linkpath', entry.target ?? '', Buffer.byteLength(entry.target ?? '') <= 100)
  number('uid', entry.uid ?? 0, 8)
  number('gid', entry.gid ?? 0, 8)
  number('size', sizeBytes, 12)
  number('mtime', entry.mtime ?? 0, 12)
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) records.push(paxRecord(`SCHILY.xattr.${name}`, value))
  return Buffer.concat(records)
}

/** `<length> <key>=<value>\n`, where the length counts its own digits (pax, POSIX.1-2001). */
function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')])
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

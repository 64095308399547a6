import { gunzipSync } from 'node:zlib'
import { exec } from './exec.mjs'

const BY_COMMAND = [
  { magic: '02214c18', command: 'lz4', args: ['-dc'] },
  { magic: '28b52ffd', command: 'zstd', args: ['-dc'] },
  { magic: 'fd377a58', command: 'xz', args: ['-dc', '--single-stream'] },
]

/** Unpacks bytes by what their first bytes say: gzip, LZ4 (the kernel's frame), Zstandard or xz; anything else is returned as it is. */
export async function decompress(bytes) {
  const magic = bytes.subarray(0, 4).toString('hex')
  if (magic.startsWith('1f8b')) return gunzipSync(bytes)
  const found = BY_COMMAND.find((entry) => entry.magic === magic)
  return found ? exec(found.command, found.args, { input: bytes, binary: true }) : bytes
}

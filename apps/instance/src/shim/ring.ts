import { type FileHandle, open } from 'node:fs/promises'
import type { ConsolePiece, ConsoleRange } from '../domain/ports.ts'

/** Head of `console.log`: magic, capacity and end as 64-bit big-endian numbers, zeros; the byte of offset o lies at head + o % capacity. */
const headBytes = 4096
const magic = 'BRTHRNG1'
const pieceBytes = 64 * 1024

/**
 * Reads what a console's ring file holds, for a VM without a living shim. Nothing when there is no such file yet.
 * `follow` is not for it: no shim, no more bytes.
 */
export async function* readRing(path: string, { offset, tailBytes }: ConsoleRange): AsyncGenerator<ConsolePiece> {
  const file = await openIfThere(path)
  if (!file) return
  try {
    const head = Buffer.alloc(24)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    if (bytesRead < head.length || head.toString('latin1', 0, 8) !== magic) return
    const [capacity, end] = [Number(head.readBigUInt64BE(8)), Number(head.readBigUInt64BE(16))]
    let at = Math.max(0, end - capacity, tailBytes > 0 ? end - tailBytes : Math.min(offset, end))
    while (at < end) {
      const place = at % capacity
      const data = Buffer.alloc(Math.min(pieceBytes, end - at, capacity - place))
      await file.read(data, 0, data.length, headBytes + place)
      at += data.length
      yield { data, nextOffset: at }
    }
  } finally {
    await file.close()
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

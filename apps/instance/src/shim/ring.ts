import { type FileHandle, open } from 'node:fs/promises'
import type { ConsolePiece, ConsoleRange } from '../domain/ports.ts'

/** Head of `console.log`: magic, then start, end and capacity as 64-bit little-endian numbers; the byte of offset o lies at head + o % capacity. */
const headBytes = 32
const magic = 'BERTHCON'
const pieceBytes = 64 * 1024

/**
 * Reads what a console's ring file holds, for a VM without a living shim. Nothing when there is no such file yet.
 * `follow` is not for it: no shim, no more bytes.
 */
export async function* readRing(path: string, { offset, tailBytes }: ConsoleRange): AsyncGenerator<ConsolePiece> {
  const file = await openIfThere(path)
  if (!file) return
  try {
    const head = Buffer.alloc(headBytes)
    const { bytesRead } = await file.read(head, 0, headBytes, 0)
    if (bytesRead < headBytes || head.toString('latin1', 0, 8) !== magic) return
    const [start, end, capacity] = [8, 16, 24].map((at) => Number(head.readBigUInt64LE(at))) as [number, number, number]
    let at = Math.max(start, tailBytes > 0 ? end - tailBytes : Math.min(offset, end))
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

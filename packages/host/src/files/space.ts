import { statfs } from 'node:fs/promises'

/** Room of the file system under a path, in bytes; `freeBytes` is what may still be written. */
export async function spaceOf(target: string): Promise<{ freeBytes: number; totalBytes: number }> {
  const { bsize, bavail, blocks } = await statfs(target)
  return { freeBytes: bsize * bavail, totalBytes: bsize * blocks }
}

/** What may still be written under a path, in bytes. */
export async function freeBytes(target: string): Promise<number> {
  return (await spaceOf(target)).freeBytes
}

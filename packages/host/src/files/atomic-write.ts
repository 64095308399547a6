import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'

/**
 * Makes names and bytes of a file or a folder durable: after a crash they are as they are now.
 *
 * @throws the system's error, ENOENT included
 */
export async function fsyncPath(target: string): Promise<void> {
  await using handle = await open(target, 'r')
  await handle.sync()
}

/** Gives a finished file its name, durably: whoever opens `to` sees the old file or the whole new one, also after a crash. */
export async function durableRename(from: string, to: string): Promise<void> {
  await fsyncPath(from)
  await rename(from, to)
  await fsyncPath(path.dirname(to))
}

/**
 * Writes a file whole or not at all, durably. The temporary name is `<file>.tmp`: one writer per file.
 *
 * @param options.mode permission bits; default 0600
 */
export async function atomicWrite(file: string, data: string | Uint8Array, { mode = 0o600 }: { mode?: number } = {}): Promise<void> {
  const temporary = `${file}.tmp`
  try {
    await using handle = await open(temporary, 'w', mode)
    await handle.chmod(mode)
    await handle.writeFile(data)
    await handle.sync()
  } catch (error) {
    // On a full disk the half of a file would keep the little room there is.
    await rm(temporary, { force: true })
    throw error
  }
  await rename(temporary, file)
  await fsyncPath(path.dirname(file))
}

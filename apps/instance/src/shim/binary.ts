import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, readFile, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { fsyncPath } from '@berth/host'

/**
 * Puts a copy of the shim into the data folder, named by its content, and answers its path: a running VM keeps the file it was started from, whatever
 * becomes of the clone.
 */
export async function installShim(binary: string, folder: string): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(binary))
    .digest('hex')
    .slice(0, 16)
  // The name of the process is the file's own.
  const installed = path.join(folder, digest, 'berth-shim')
  if (await exists(installed)) return installed
  await mkdir(path.dirname(installed), { recursive: true, mode: 0o755 })
  const temporary = `${installed}.${process.pid}`
  await copyFile(binary, temporary)
  await chmod(temporary, 0o755)
  await fsyncPath(temporary)
  await rename(temporary, installed)
  return installed
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}

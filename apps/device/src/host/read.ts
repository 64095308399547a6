import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import path from 'node:path'

// ENODEV, EINVAL, EIO: attributes of a device that is going away or does not answer.
const absent = new Set(['ENOENT', 'ENOTDIR', 'ENODEV', 'EINVAL', 'EIO', 'EACCES'])

/** Text of a file, trimmed; empty when it is not there. */
export async function textOf(file: string): Promise<string> {
  return (await orAbsent(readFile(file, 'utf8'), '')).trim()
}

/** Last part of what a link points at; empty when there is none. */
export async function linkName(link: string): Promise<string> {
  return path.basename(await orAbsent(readlink(link), ''))
}

/** Names in a folder, in order; none when it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await orAbsent(readdir(folder), [])).toSorted()
}

/** The path without links; empty when it is not there. */
export async function resolved(target: string): Promise<string> {
  return orAbsent(realpath(target), '')
}

async function orAbsent<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (absent.has((error as NodeJS.ErrnoException).code ?? '')) return otherwise
    throw error
  }
}

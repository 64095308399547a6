import { constants, copyFile } from 'node:fs/promises'
import type { Runner } from '../run/runner.ts'

export type CloneMethod = 'reflink' | 'sparse-copy'

/** How a file was cloned, and why that way. */
export type Cloned = { method: CloneMethod; reason: string }

/**
 * Copies a file, sharing its blocks where the file system can; else copies what it holds and leaves its holes. Overwrites `to`.
 *
 * @param options.timeoutMs bound of the sparse copy; default 10 minutes
 * @throws the system's error, CommandFailed
 */
export async function cloneFile(
  runner: Runner,
  from: string,
  to: string,
  { signal, timeoutMs = 600_000 }: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<Cloned> {
  const refused = await reflink(from, to)
  if (!refused) return { method: 'reflink', reason: 'the file system shares blocks between files' }
  const options = { timeoutMs, ...(signal ? { signal } : {}) }
  await runner.run(['cp', '--reflink=never', '--sparse=always', '--no-preserve=all', '--', from, to], options)
  return { method: 'sparse-copy', reason: `the file system cannot share blocks between files (${refused})` }
}

// What FICLONE answers where it cannot: other file system, no such ioctl, not aligned, not supported.
const cannot = new Set(['EXDEV', 'ENOTTY', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ETXTBSY'])

async function reflink(from: string, to: string): Promise<string | undefined> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE)
    return undefined
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (cannot.has(code)) return code
    throw error
  }
}

import { readdir, readFile, rmdir } from 'node:fs/promises'
import path from 'node:path'

/** Names of the groups right below a group's folder; none when it is not there. */
export async function childCgroups(folder: string): Promise<string[]> {
  const entries = await orMissing(readdir(folder, { withFileTypes: true }), [])
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

/** Pids in a group itself (not below it); none when it is not there. */
export async function cgroupPids(folder: string): Promise<number[]> {
  const text = await orMissing(readFile(path.join(folder, 'cgroup.procs'), 'utf8'), '')
  return text.split('\n').filter(Boolean).map(Number)
}

/** Removes an empty group. True when it is gone, false while it holds processes or groups. */
export async function removeCgroup(folder: string): Promise<boolean> {
  try {
    await orMissing(rmdir(folder), undefined)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false
    throw error
  }
}

async function orMissing<T>(work: Promise<T>, missing: T): Promise<T> {
  try {
    return await work
  } catch (error) {
    // ENODEV: the group went away between opening and reading.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENODEV') return missing
    throw error
  }
}

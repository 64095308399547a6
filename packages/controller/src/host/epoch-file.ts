import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { atomicWrite } from '@berth/host'

const fileIn = (folder: string) => path.join(folder, 'epoch')

/** The highest epoch that a service has had on this host; 0 before the first. */
export async function highestEpoch(folder: string): Promise<number> {
  try {
    return Number(await readFile(fileIn(folder), 'utf8')) || 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}

/** Written before anything is done under the epoch: shims refuse a lower one than they have seen, whatever the database remembers. */
export async function rememberEpoch(folder: string, epoch: number): Promise<void> {
  await atomicWrite(fileIn(folder), `${epoch}\n`, { mode: 0o600 })
}

import { chmod, chown, lstat, mkdir, open, readdir, rm, truncate } from 'node:fs/promises'
import path from 'node:path'
import { isBerthError } from '@berth/errors'
import { CommandFailed, durableRename, fsyncPath, freeBytes, heldOpen, type Runner } from '@berth/host'
import { type Access, accessText, sameAccess } from '../domain/access.ts'
import type { FoundDisk, PoolEntry, StorageBackend } from '../domain/ports.ts'
import { poolFull } from '../domain/size.ts'
import { scratchTemplates } from './scratch-template.ts'

export type DirectoryPoolOptions = {
  /** The pool's own folder; made when missing. Everything in it is the pool's. */
  folder: string
  name: string
  /** Bytes of the file system that stay free. */
  reserveBytes: number
  runner: Runner
}

export const templateFolder = 'templates'
const diskName = /^(vol_[0-9a-hjkmnp-tv-z]{26})\.raw(\.tmp)?$/

/** A pool of raw files in a folder: `<id>.raw`, `<id>.raw.tmp` while one is made, and templates of file systems. */
export async function directoryPool({ folder, name, reserveBytes, runner }: DirectoryPoolOptions): Promise<StorageBackend> {
  // VMs open their disks by path: they must be able to pass, not to list.
  await mkdir(folder, { recursive: true, mode: 0o711 })
  await chmod(folder, 0o711)
  const pathOf = (id: string) => path.join(folder, `${id}.raw`)
  const templates = await scratchTemplates({ folder: path.join(folder, templateFolder), runner })

  async function make<T>(id: string, fill: (temporary: string) => Promise<T>): Promise<T> {
    const temporary = `${pathOf(id)}.tmp`
    try {
      const made = await fill(temporary)
      await chmod(temporary, 0o600)
      await durableRename(temporary, pathOf(id))
      return made
    } catch (error) {
      await rm(temporary, { force: true })
      throw isFull(error) ? poolFull(name, {}, error) : error
    }
  }

  return {
    pool: name,
    pathOf,
    async find(id): Promise<FoundDisk | undefined> {
      return diskAt(pathOf(id))
    },
    createEmpty: (id, sizeBytes) =>
      make(id, async (temporary) => {
        await using handle = await open(temporary, 'w', 0o600)
        await handle.truncate(sizeBytes)
        return { method: 'sparse', reason: 'an empty disk is a hole: it takes room as it is written' }
      }),
    createScratch: (id, sizeBytes, signal) =>
      make(id, async (temporary) => {
        const made = await templates.clone(sizeBytes, temporary, signal)
        await truncate(temporary, sizeBytes)
        return made
      }),
    async setAccess(id, access) {
      const found = await diskAt(pathOf(id))
      if (found && sameAccess(found, access)) return
      // Closed first, so that at no moment both the old and the new holder can open it.
      await chmod(pathOf(id), 0)
      await chown(pathOf(id), access.uid, access.gid)
      await chmod(pathOf(id), access.mode)
      await verify(pathOf(id), access)
    },
    async remove(id) {
      for (const file of [pathOf(id), `${pathOf(id)}.tmp`]) await rm(file, { force: true })
      await fsyncPath(folder)
    },
    async entries() {
      const names = await readdir(folder)
      return names.filter((entry) => entry !== templateFolder).map(entryOf)
    },
    async discard(name) {
      const file = path.join(folder, name)
      if (!(await diskAt(file))) return
      await rm(file, { force: true })
      await fsyncPath(folder)
    },
    async inUse() {
      return (await heldOpen({ folder })).files
    },
    async room() {
      return { freeBytes: await freeBytes(folder), reserveBytes }
    },
  }
}

function entryOf(name: string): PoolEntry {
  const [, id, unfinished] = diskName.exec(name) ?? []
  return { name, id, kind: id === undefined ? 'foreign' : unfinished ? 'unfinished' : 'disk' }
}

/** What is at a path; a link or a folder is no disk of ours. */
async function diskAt(file: string): Promise<FoundDisk | undefined> {
  try {
    const stats = await lstat(file)
    if (!stats.isFile() || stats.nlink !== 1) throw new Error(`${path.basename(file)} is not a plain file with one name`)
    const { size, blocks, uid, gid, mode } = stats
    return { sizeBytes: size, allocatedBytes: blocks * 512, uid, gid, mode: mode & 0o7777 }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function verify(file: string, wanted: Access): Promise<void> {
  const found = await diskAt(file)
  if (!found || !sameAccess(found, wanted)) throw new Error(`${path.basename(file)} did not take ${accessText(wanted)}`)
}

function isFull(error: unknown): boolean {
  if (error instanceof CommandFailed) return /No space left on device|Disk quota exceeded/.test(error.stderr)
  return !isBerthError(error) && ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '')
}

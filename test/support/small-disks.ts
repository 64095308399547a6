import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmdirSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import path from 'node:path'

/** What a file's extents need is far less, and it is written in a moment. */
const LEFT_TO_WRITE = 2 * 1024 * 1024

/** Folders of a system that are file systems of their own, small ones on loop devices. */
export interface SmallDisks {
  /** For `prepare` of a system: mounts them, and answers with what takes them away. */
  mount(dataDir: string): () => void
  /** Leaves so many bytes free in one of them. */
  fill(folder: string, freeBytes?: number): void
  /** Gives the room back. */
  drain(folder: string): void
}

/** @param sizes bytes by folder below the data folder */
export function smallDisks(sizes: Record<string, number>): SmallDisks {
  let root = ''
  const filler = (folder: string) => path.join(root, folder, '.filler')
  return {
    mount(dataDir) {
      root = dataDir
      for (const [folder, bytes] of Object.entries(sizes)) {
        // Beside the data folder, and gone with it.
        const device = path.join(root, '..', `${folder}.ext4`)
        writeFileSync(device, '')
        truncateSync(device, bytes)
        execFileSync('mkfs.ext4', ['-q', '-F', '-b', '4096', '-m', '0', device], { stdio: 'pipe' })
        mkdirSync(path.join(root, folder), { recursive: true })
        execFileSync('mount', ['-o', 'loop', device, path.join(root, folder)])
        rmdirSync(path.join(root, folder, 'lost+found'))
      }
      return () => {
        for (const folder of Object.keys(sizes)) execFileSync('umount', ['--lazy', path.join(root, folder)])
      }
    },
    fill(folder, freeBytes = 0) {
      const toTake = () => statfsSync(path.join(root, folder)).bfree * 4096 - freeBytes
      const taken = statSync(filler(folder), { throwIfNoEntry: false })?.size ?? 0
      // Most of it is taken without being written, which costs no time; extents need blocks of their own, so some is left for writes.
      const most = toTake() - LEFT_TO_WRITE
      if (most >= 4096) spawnSync('fallocate', ['--offset', String(taken), '--length', String(most), filler(folder)], { stdio: 'pipe' })
      writeUntil(filler(folder), toTake)
    },
    drain: (folder) => rmSync(filler(folder), { force: true }),
  }
}

/** Appends until there is no more to take, at last page by page: a file system may be full a little before it says so. */
function writeUntil(file: string, toTake: () => number): void {
  const page = Buffer.alloc(4096)
  const out = openSync(file, 'a')
  try {
    for (let piece = 16; piece >= 1 && toTake() >= 4096; ) {
      const pages = Math.min(piece, Math.floor(toTake() / 4096))
      try {
        for (let written = 0; written < pages; written += 1) writeSync(out, page)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        piece = Math.floor(pages / 2)
      }
    }
  } finally {
    closeSync(out)
  }
}

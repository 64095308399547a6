import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmdirSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'

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
      const free = () => statfsSync(path.join(root, folder)).bfree * 4096
      let taken = statSync(filler(folder), { throwIfNoEntry: false })?.size ?? 0
      // What is taken without being written costs no time; the last of it goes page by page.
      for (let piece = free() - freeBytes; piece >= 4096; piece = Math.min(piece, free() - freeBytes)) {
        const { status } = spawnSync('fallocate', ['--offset', String(taken), '--length', String(piece), filler(folder)], { stdio: 'pipe' })
        if (status === 0) taken += piece
        else piece = 4096 * Math.floor(piece / 8192)
      }
    },
    drain: (folder) => rmSync(filler(folder), { force: true }),
  }
}

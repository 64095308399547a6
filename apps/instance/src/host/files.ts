import { mkdir, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { atomicWrite } from '@berth/host'
import { shortName } from '../domain/place.ts'
import type { InstanceFiles } from '../domain/ports.ts'
import { erofsWithFile } from './erofs.ts'

const instanceFolder = /^ins_[0-9a-hjkmnp-tv-z]{26}$/

/** Folders of instances below the service's own. A VM's uid passes through and reads its config disk; nobody else lists or writes. */
export function instanceFiles(dataDir: string): InstanceFiles {
  return {
    async writeConfig({ folder }, config) {
      await mkdir(folder, { recursive: true, mode: 0o711 })
      const file = path.join(folder, 'config.erofs')
      await atomicWrite(file, erofsWithFile('config.binpb', config), { mode: 0o444 })
      return file
    },
    async remove({ folder }) {
      await rm(folder, { recursive: true, force: true })
    },
    async found() {
      const names = await readdir(dataDir)
      return names
        .filter((name) => instanceFolder.test(name))
        .map((name) => ({ kind: 'folder', name: path.join(dataDir, name), short: shortName(name) }))
    },
    async discard({ name }) {
      await rm(path.join(dataDir, path.basename(name)), { recursive: true, force: true })
    },
  }
}

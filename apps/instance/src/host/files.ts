import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { atomicWrite } from '@berth/host'
import type { InstanceFiles } from '../domain/ports.ts'
import { erofsWithFile } from './erofs.ts'

/** Folders of instances below the service's own. A VM's uid passes through and reads its config disk; nobody else lists or writes. */
export const instanceFiles: InstanceFiles = {
  async writeConfig({ folder }, config) {
    await mkdir(folder, { recursive: true, mode: 0o711 })
    const file = path.join(folder, 'config.erofs')
    await atomicWrite(file, erofsWithFile('config.binpb', config), { mode: 0o444 })
    return file
  },
  async remove({ folder }) {
    await rm(folder, { recursive: true, force: true })
  },
}

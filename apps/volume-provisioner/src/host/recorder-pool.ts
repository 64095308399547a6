import path from 'node:path'
import type { FoundDisk, StorageBackend } from '../domain/ports.ts'

/** A pool on paper: it remembers what it was asked for as long as its process lives, and makes no file. For measuring what the service itself costs. */
export function recorderPool({ folder, name, reserveBytes }: { folder: string; name: string; reserveBytes: number }): StorageBackend {
  const disks = new Map<string, FoundDisk>()
  const make = (id: string, sizeBytes: number): void => {
    disks.set(id, { sizeBytes, allocatedBytes: 0, uid: 0, gid: 0, mode: 0o600 })
  }
  return {
    pool: name,
    pathOf: (id) => path.join(folder, `${id}.raw`),
    find: (id) => Promise.resolve(disks.get(id)),
    createEmpty(id, sizeBytes) {
      make(id, sizeBytes)
      return Promise.resolve({ method: 'sparse', reason: 'it exists on paper only' })
    },
    createScratch(id, sizeBytes) {
      make(id, sizeBytes)
      return Promise.resolve({ method: 'reflink', reason: 'it exists on paper only' })
    },
    setAccess(id, access) {
      const found = disks.get(id)
      if (found) disks.set(id, { ...found, ...access })
      return Promise.resolve()
    },
    remove: (id) => Promise.resolve(void disks.delete(id)),
    entries: () => Promise.resolve([...disks.keys()].map((id) => ({ name: `${id}.raw`, id, kind: 'disk' as const }))),
    discard: (name) => Promise.resolve(void disks.delete(path.basename(name, '.raw'))),
    inUse: () => Promise.resolve(new Map()),
    room: () => Promise.resolve({ freeBytes: Number.MAX_SAFE_INTEGER, reserveBytes }),
  }
}

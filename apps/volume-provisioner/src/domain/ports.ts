import type { Access } from './access.ts'
import type { Room } from './size.ts'

/** A disk's file as it is. */
export type FoundDisk = Access & { sizeBytes: number; allocatedBytes: number }

/** How a disk was made, and why that way, for people. */
export type Made = { method: 'sparse' | 'reflink' | 'sparse-copy'; reason: string }

/** What lies in a pool, for the audit. */
export type PoolEntry = { name: string; id: string | undefined; kind: 'disk' | 'unfinished' | 'foreign' }

/** A pool of disks on this host. Names follow from ids alone, so that a redo finds what an earlier try made. */
export type StorageBackend = {
  readonly pool: string
  /** Where a disk is or would be: an absolute path. */
  pathOf(id: string): string
  find(id: string): Promise<FoundDisk | undefined>
  /** Makes a disk of zeroes, durably; whatever an unfinished try left is replaced. @throws ResourceExhausted(`POOL_FULL`) */
  createEmpty(id: string, sizeBytes: number, signal: AbortSignal): Promise<Made>
  /** Makes a disk with an empty ext4 file system of at most `sizeBytes`; the guest grows it to the rest. @throws ResourceExhausted(`POOL_FULL`) */
  createScratch(id: string, sizeBytes: number, signal: AbortSignal): Promise<Made>
  /** Gives the file owner, group and mode, and looks whether it has them. */
  setAccess(id: string, access: Access): Promise<void>
  /** Removes a disk and what an unfinished try left; nothing when there is none. */
  remove(id: string): Promise<void>
  entries(): Promise<PoolEntry[]>
  room(): Promise<Room>
}

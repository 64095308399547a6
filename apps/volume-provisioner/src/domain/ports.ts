import type { Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import type { CreateVolumeRequest, DeleteVolumeRequest, Volume } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import type { Access, Owner } from './access.ts'
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
  /** Removes one entry that is a plain file, by its name; nothing when it is gone. */
  discard(name: string): Promise<void>
  /** Names of entries that a process has open, with its pid. */
  inUse(): Promise<Map<string, number>>
  room(): Promise<Room>
}

/** Who asks for a disk. */
export type Claim = { owner: Owner; project: string; actor: string; uid: number; readOnly: boolean }

/** A disk by its table: scratch disks belong to their owners, volumes to the project. */
export type ClaimedDisk = { kind: 'scratch' | 'volume'; id: string }

/** Who may have which disk. */
export type Claims = {
  /** The owner's own disk, made when there is none yet. @throws FailedPrecondition(`SIZE_DIFFERS`), Aborted(`VOLUME_DELETING`) */
  scratch(claim: Claim, sizeBytes: number): Promise<ClaimedDisk>
  /** A volume of the project. @throws NotFound, FailedPrecondition(`VOLUME_IN_USE` | `VOLUME_ON_OTHER_HOST` | `SLOT_TAKEN`), Aborted(`VOLUME_DELETING`) */
  volume(claim: Claim, reference: string): Promise<ClaimedDisk>
  /** Marks the owner's disk as to be taken back, and its scratch disk as to be deleted when `remove`. Undefined: it has none. */
  release(owner: Owner, options: { remove: boolean }): Promise<ClaimedDisk | undefined>
  /** The disk as it is written down; undefined when it is gone. */
  state(disk: ClaimedDisk): Promise<Volume | undefined>
}

/** Runs one of a verb's steps; failpoints lie before and after it. */
export type Step<Name extends string> = <T>(name: Name, signal: AbortSignal, run: () => Promise<T>) => Promise<T>

export type Actor = { actor: string; project: string }
export type Accepted = { resource: Volume | undefined; operation: Operation | undefined }

/** The project's volumes behind the public calls. */
export type PublicVolumes = {
  /** By id or name. @throws NotFound(`VOLUME_NOT_FOUND`) */
  get(project: string, reference: string): Promise<Volume>
  /** @throws InvalidArgument(`BAD_PAGE_TOKEN` | `BAD_FILTER`) */
  list(
    project: string,
    page: { pageSize: number; pageToken: string; filter: string },
  ): Promise<{ volumes: Volume[]; nextPageToken: string }>
  /** @throws InvalidArgument(`SIZE_NOT_ALIGNED` | `POOL_UNKNOWN`), NotFound(`HOST_NOT_FOUND`), AlreadyExists(`NAME_TAKEN`) */
  create(caller: Actor, request: CreateVolumeRequest): Promise<Accepted>
  /** @throws NotFound(`VOLUME_NOT_FOUND`), FailedPrecondition(`VOLUME_IN_USE`), Aborted(`STALE_ETAG`) */
  delete(caller: Actor, request: DeleteVolumeRequest): Promise<Accepted>
}

import { type Database, resourceStore, type ResourceStore, type Stored } from '@berth/db'
import { type Volume, VolumeSchema } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { scratchDisks, volumes } from './tables.ts'

type ScratchExtra = { ownerKind: string; ownerId: string; ownerSlot: string }
export type Disk = Stored<Volume, object>
export type ScratchDisk = Stored<Volume, ScratchExtra>

/** What controllers need of either kind. */
export type DiskStore = ResourceStore<Volume, object>

export const volumeStore = (db: Database) =>
  resourceStore<Volume, typeof volumes>({ db, table: volumes, kind: 'volume', idPrefix: 'vol', schema: VolumeSchema })

/** Scratch disks have a kind of their own, so that no watch of volumes sees them. */
export const scratchStore = (db: Database): ResourceStore<Volume, ScratchExtra> =>
  resourceStore({ db, table: scratchDisks, kind: 'scratch', idPrefix: 'vol', schema: VolumeSchema })

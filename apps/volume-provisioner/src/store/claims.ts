import { type Database, type Fence, fence, isUniqueViolation, newId, together, type Tx } from '@berth/db'
import { aborted, failedPrecondition, isBerthError } from '@berth/errors'
import { VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { create } from '@bufbuild/protobuf'
import { VolumeSpecSchema, VolumeStatusSchema } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import type { Owner } from '../domain/access.ts'
import type { Claim, ClaimedDisk, Claims } from '../domain/ports.ts'
import { attach, attachmentOf, attachNew, markReleasing } from './attachments.ts'
import { type Disk, scratchStore, volumeStore } from './disks.ts'

/** Who may have which disk, written down before anything is done on the host. */
export function claims({ db, lease, pool }: { db: Database; lease: Fence; pool: string }): Claims {
  const scratch = scratchStore(db)
  const volumes = volumeStore(db)

  const scratchOf = ({ kind, id, slot }: Owner, lockIn?: Tx) =>
    scratch.byColumns({ ownerKind: kind, ownerId: id, ownerSlot: slot }, lockIn, lockIn && 'update')

  async function attachTo(tx: Tx, disk: Disk, { owner, uid, readOnly }: Claim): Promise<void> {
    if (disk.host !== lease.hostId) throw elsewhere(disk)
    if (disk.deleteTime)
      throw aborted('VOLUME_DELETING', `volume “${disk.name}” is being deleted`, { metadata: { volume: disk.id }, retryAfterMs: 200 })
    await attach(tx, { diskId: disk.id, diskName: disk.name, owner, uid, readOnly, host: lease.hostId, epoch: lease.epoch })
  }

  async function claimScratch(claim: Claim, sizeBytes: number): Promise<ClaimedDisk> {
    return db.transaction('volume.ensure', async (tx) => {
      await fence(tx, lease)
      const known = await scratchOf(claim.owner, tx)
      const disk = known ?? (await insertScratch(tx, claim, sizeBytes))
      if (Number(disk.spec.sizeBytes) !== sizeBytes) throw otherSize(disk.name)
      await attachTo(tx, disk, claim)
      return { kind: 'scratch', id: disk.id }
    })
  }

  /** For an owner of which nothing is known: fence, disk and attachment go out together. Unique indexes say no when something is there after all. */
  async function claimNew(claim: Claim, sizeBytes: number): Promise<ClaimedDisk> {
    const { owner, uid, readOnly } = claim
    const id = newId(scratch.idPrefix)
    await db.transaction('volume.ensure', async (tx) => {
      const fenced = fence(tx, lease)
      const made = insertScratch(tx, claim, sizeBytes, id)
      const attached = attachNew(tx, { diskId: id, owner, uid, readOnly, host: lease.hostId, epoch: lease.epoch })
      await together([fenced, made, attached])
    })
    return { kind: 'scratch', id }
  }

  function insertScratch(tx: Tx, { owner, project, actor }: Claim, sizeBytes: number, id?: string) {
    return scratch.insert(tx, {
      ...(id === undefined ? {} : { id }),
      project,
      // An id holds an underscore where a name may hold a hyphen; slots are unique within their owner.
      name: `${owner.slot}-${owner.id.replace('_', '-')}`.slice(0, 63),
      host: lease.hostId,
      creator: actor,
      spec: create(VolumeSpecSchema, { sizeBytes: BigInt(sizeBytes), pool }),
      status: create(VolumeStatusSchema, { state: VolumeState.PENDING }),
      extra: { ownerKind: owner.kind, ownerId: owner.id, ownerSlot: owner.slot },
    })
  }

  return {
    async scratch(claim, sizeBytes) {
      const known = await scratchOf(claim.owner)
      if (known && Number(known.spec.sizeBytes) === sizeBytes && !known.deleteTime && (await isHeld(db, claim, known)))
        return { kind: 'scratch', id: known.id }
      try {
        return await (known ? claimScratch : claimNew)(claim, sizeBytes)
      } catch (error) {
        // Somebody asked for the same at the same time and was faster: now it is there.
        if (isUniqueViolation(error) || (isBerthError(error) && error.reason === 'NAME_TAKEN')) return claimScratch(claim, sizeBytes)
        throw error
      }
    },

    async volume(claim, reference) {
      const known = await volumes.get(claim.project, reference)
      if (!known.deleteTime && known.host === lease.hostId && (await isHeld(db, claim, known))) return { kind: 'volume', id: known.id }
      return db.transaction('volume.ensure', async (tx) => {
        await fence(tx, lease)
        const disk = await volumes.lock(tx, claim.project, reference)
        await attachTo(tx, disk, claim)
        return { kind: 'volume', id: disk.id }
      })
    },

    async release(owner, { remove }) {
      const found = await db.read(async () => ({ held: await attachmentOf(db.queries, owner), disk: await scratchOf(owner) }))
      const { held, disk } = found
      if (disk && disk.host !== lease.hostId) throw elsewhere(disk)
      if (held && held.host !== lease.hostId) throw elsewhere({ id: held.diskId, name: held.diskId, host: held.host })
      if (!held && !(disk && remove)) return undefined
      await db.transaction('volume.release', async (tx) => {
        await fence(tx, lease)
        const locked = disk && remove ? await scratch.lockById(tx, disk.id) : undefined
        if (locked) await scratch.markDeleted(tx, locked, locked.creator)
        await markReleasing(tx, owner)
      })
      return disk ? { kind: 'scratch', id: disk.id } : { kind: 'volume', id: held?.diskId ?? '' }
    },

    async state({ kind, id }) {
      const row = await (kind === 'scratch' ? scratch : volumes).byId(id)
      return row && volumes.toMessage({ ...row, extra: {} })
    },
  }
}

async function isHeld(db: Database, { owner, uid, readOnly }: Claim, disk: { id: string }): Promise<boolean> {
  const held = await db.read((queries) => attachmentOf(queries, owner))
  return held !== undefined && held.diskId === disk.id && held.uid === uid && held.readOnly === readOnly && !held.releasing
}

function elsewhere({ id, name, host }: { id: string; name: string; host: string }) {
  return failedPrecondition('VOLUME_ON_OTHER_HOST', `volume “${name}” lives on another host`, { metadata: { volume: id, host } })
}

function otherSize(name: string) {
  return failedPrecondition('SIZE_DIFFERS', `“${name}” is there already with another size`, { field: 'scratch.size_bytes' })
}

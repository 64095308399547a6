import { type Database, type Executor, rowsOf, together, type Tx } from '@berth/db'
import { failedPrecondition } from '@berth/errors'
import { inArray } from 'drizzle-orm'
import { type Attachment, type Owner, sameOwner } from '../domain/access.ts'
import { refuseConflict } from '../domain/use.ts'
import { attachments } from './tables.ts'

/** An attachment with the disk it is of. */
export type Held = Attachment & { diskId: string; host: string; epoch: number }

type Row = typeof attachments.$inferSelect

function toHeld({ ownerKind, ownerId, ownerSlot, uid, readOnly, releasing, diskId, host, epoch }: Row): Held {
  return { owner: { kind: ownerKind, id: ownerId, slot: ownerSlot }, uid, readOnly, releasing, diskId, host, epoch }
}

const rows = rowsOf(attachments)
const ofOwner = ({ kind, id, slot }: Owner) => ({ ownerKind: kind, ownerId: id, ownerSlot: slot })

/** Who has a disk, oldest first. */
export async function attachmentsOf(executor: Executor, diskId: string): Promise<Held[]> {
  return (await rows.select(executor, { diskId }, { orderBy: 'createTime' })).map(toHeld)
}

/** Everything that VMs of a host have. */
export async function attachmentsOn(db: Database, host: string): Promise<Held[]> {
  return (await db.read((queries) => rows.select(queries, { host }))).map(toHeld)
}

/** What an owner has in one slot. */
export async function attachmentOf(executor: Executor, owner: Owner): Promise<Held | undefined> {
  const [row] = await rows.select(executor, ofOwner(owner))
  return row && toHeld(row)
}

export type Attach = { diskId: string; diskName: string; owner: Owner; uid: number; readOnly: boolean; host: string; epoch: number }

/**
 * Writes down that an owner may open a disk; again is the same. The disk's row must be locked.
 *
 * @throws FailedPrecondition(`VOLUME_IN_USE` | `SLOT_TAKEN`)
 */
export async function attach(tx: Tx, { diskId, diskName, owner, uid, readOnly, host, epoch }: Attach): Promise<void> {
  const others = await attachmentsOf(tx, diskId)
  refuseConflict(diskName, others, { owner, readOnly })
  const mine = await attachmentOf(tx, owner)
  if (mine && mine.diskId !== diskId)
    throw failedPrecondition('SLOT_TAKEN', `slot ${owner.slot} of ${owner.kind} ${owner.id} holds another disk`, {
      metadata: { volume: mine.diskId },
    })
  const values = { diskId, host, uid, readOnly, releasing: false, epoch }
  if (others.some((other) => sameOwner(other.owner, owner))) await rows.update(tx, values, ofOwner(owner))
  else await rows.insert(tx, { ...values, ...ofOwner(owner) })
}

/** As `attach`, for a disk that the transaction itself has made. A slot that holds another disk is a violation of its unique index. */
export async function attachNew(tx: Tx, { diskId, owner, uid, readOnly, host, epoch }: Omit<Attach, 'diskName'>): Promise<void> {
  await rows.insert(tx, { diskId, host, uid, readOnly, releasing: false, epoch, ...ofOwner(owner) })
}

/** Writes down that an owner's disk is to be taken back. */
export async function markReleasing(tx: Tx, owner: Owner): Promise<void> {
  await rows.update(tx, { releasing: true }, ofOwner(owner))
}

/** Forgets those of `released` that are still to be taken back: an owner may have asked for its disk again meanwhile. */
export async function forgetReleased(tx: Tx, diskId: string, released: Attachment[]): Promise<void> {
  await together(released.map(({ owner }) => rows.remove(tx, { ...ofOwner(owner), diskId, releasing: true })))
}

/** Forgets everybody who had a disk that is gone. */
export async function forgetDisks(tx: Tx, diskIds: string[]): Promise<void> {
  await tx.delete(attachments).where(inArray(attachments.diskId, diskIds))
}

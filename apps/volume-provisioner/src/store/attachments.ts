import type { Database, Executor, Tx } from '@berth/db'
import { failedPrecondition } from '@berth/errors'
import { and, asc, eq, inArray } from 'drizzle-orm'
import { type Attachment, type Owner, sameOwner } from '../domain/access.ts'
import { refuseConflict } from '../domain/use.ts'
import { attachments } from './tables.ts'

/** An attachment with the disk it is of. */
export type Held = Attachment & { diskId: string; host: string; epoch: number }

type Row = typeof attachments.$inferSelect

function toHeld({ ownerKind, ownerId, ownerSlot, uid, readOnly, releasing, diskId, host, epoch }: Row): Held {
  return { owner: { kind: ownerKind, id: ownerId, slot: ownerSlot }, uid, readOnly, releasing, diskId, host, epoch }
}

const ofOwner = ({ kind, id, slot }: Owner) =>
  and(eq(attachments.ownerKind, kind), eq(attachments.ownerId, id), eq(attachments.ownerSlot, slot))

/** Who has a disk, oldest first. */
export async function attachmentsOf(executor: Executor, diskId: string): Promise<Held[]> {
  const rows = await executor.select().from(attachments).where(eq(attachments.diskId, diskId)).orderBy(asc(attachments.createTime))
  return rows.map(toHeld)
}

/** Everything that VMs of a host have. */
export async function attachmentsOn(db: Database, host: string): Promise<Held[]> {
  const rows = await db.read((queries) => queries.select().from(attachments).where(eq(attachments.host, host)))
  return rows.map(toHeld)
}

/** What an owner has in one slot. */
export async function attachmentOf(executor: Executor, owner: Owner): Promise<Held | undefined> {
  const [row] = await executor.select().from(attachments).where(ofOwner(owner))
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
  if (others.some((other) => sameOwner(other.owner, owner))) await tx.update(attachments).set(values).where(ofOwner(owner))
  else await tx.insert(attachments).values({ ...values, ownerKind: owner.kind, ownerId: owner.id, ownerSlot: owner.slot })
}

/** Writes down that an owner's disk is to be taken back. */
export async function markReleasing(tx: Tx, owner: Owner): Promise<void> {
  await tx.update(attachments).set({ releasing: true }).where(ofOwner(owner))
}

/** Forgets those of `released` that are still to be taken back: an owner may have asked for its disk again meanwhile. */
export async function forgetReleased(tx: Tx, diskId: string, released: Attachment[]): Promise<void> {
  for (const { owner } of released) {
    await tx.delete(attachments).where(and(ofOwner(owner), eq(attachments.diskId, diskId), eq(attachments.releasing, true)))
  }
}

/** Forgets everybody who had a disk that is gone. */
export async function forgetDisks(tx: Tx, diskIds: string[]): Promise<void> {
  await tx.delete(attachments).where(inArray(attachments.diskId, diskIds))
}

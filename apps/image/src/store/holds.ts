import { type Executor, rowsOf, type Tx } from '@berth/db'
import type { ErrorStatus } from '@berth/errors'
import { and, eq } from 'drizzle-orm'
import type { HeldImage } from '../domain/audit.ts'
import { type HoldRow, imageHolds } from './tables.ts'

/** Who uses an image: a resource and what it uses it for. */
export interface Owner {
  kind: string
  id: string
  slot: string
}

const rows = rowsOf(imageHolds)
const key = ({ kind, id, slot }: Owner) => ({ ownerKind: kind, ownerId: id, ownerSlot: slot })

export async function holdOf(executor: Executor, owner: Owner): Promise<HoldRow | undefined> {
  const [row] = await rows.select(executor, key(owner))
  return row
}

/** False when the owner holds something already. */
export async function addHold(tx: Tx, owner: Owner, hold: Pick<HoldRow, 'project' | 'host' | 'imageId'>): Promise<boolean> {
  return (await rows.insert(tx, { ...key(owner), ...hold }, { orNothing: true })).length > 0
}

export async function removeHold(tx: Tx, owner: Owner): Promise<void> {
  await rows.remove(tx, key(owner))
}

/** Holds on an image; with `host` those of that host. */
export async function holdsOn(executor: Executor, imageId: string, host?: string): Promise<HoldRow[]> {
  const where = and(eq(imageHolds.imageId, imageId), host === undefined ? undefined : eq(imageHolds.host, host))
  return executor.select().from(imageHolds).where(where)
}

/** Everything that is kept on a host, for whom. */
export async function holdsHere(executor: Executor, host: string): Promise<HeldImage[]> {
  const rows = await executor.select().from(imageHolds).where(eq(imageHolds.host, host))
  return rows.map(({ ownerId, ownerSlot, imageId }) => ({ ownerId, slot: ownerSlot, imageId: imageId ?? '' }))
}

/** Tells the owners on a host why they do not get the image. */
export async function failHolds(tx: Tx, imageId: string, host: string, error: ErrorStatus): Promise<void> {
  const where = and(eq(imageHolds.imageId, imageId), eq(imageHolds.host, host))
  await tx.update(imageHolds).set({ imageId: null, error }).where(where)
}

/** Hands all holds of one image to another. */
export async function moveHolds(tx: Tx, from: string, to: string): Promise<void> {
  await tx.update(imageHolds).set({ imageId: to }).where(eq(imageHolds.imageId, from))
}

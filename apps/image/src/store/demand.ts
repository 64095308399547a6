import { accept, type OperationRow, type Tx } from '@berth/db'
import { CopyState, ImageSpecSchema } from '@berth/proto/berth/image/v1/image_pb.ts'
import { create } from '@bufbuild/protobuf'
import { and, asc, eq, isNull, like, sql } from 'drizzle-orm'
import { formatReference, nameOf, parseReference, type Reference } from '../domain/reference.ts'
import { newStatus, withCopy } from '../domain/status.ts'
import { copyOf } from './copies.ts'
import type { ImageRow, ImageStore } from './images.ts'
import { type CopyRow, imageCopies, images } from './tables.ts'

export interface Demand {
  project: string
  actor: string
  /** As given. */
  text: string
  /** Empty: made from the reference. */
  name?: string
  labels?: Record<string, string>
  host: string
}

/** The living image of a reference, locked; made when there is none. Two that ask at once get the same. */
export async function imageOf(store: ImageStore, tx: Tx, demand: Demand): Promise<ImageRow> {
  const { project, actor, text, host, labels } = demand
  const parsed = parseReference(text)
  const reference = formatReference(parsed)
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`berth image ${project}`}, 0))`)
  const where = and(eq(images.project, project), eq(images.reference, reference), isNull(images.deleteTime))
  const [found] = await tx.select({ id: images.id }).from(images).where(where)
  const locked = found && (await store.lockById(tx, found.id))
  if (locked && locked.deleteTime === null) return locked
  const name = demand.name || (await freeName(tx, project, parsed))
  const spec = create(ImageSpecSchema, { reference: text })
  const status = withCopy(newStatus(), host, CopyState.PENDING, new Date())
  return store.insert(tx, { project, name, spec, status, host, creator: actor, labels: labels ?? {}, extra: { reference } })
}

/** The repository's last part, with a number where that is taken. */
export async function freeName(tx: Tx, project: string, reference: Reference): Promise<string> {
  const base = nameOf(reference)
  const where = and(eq(images.project, project), like(images.name, `${base}%`))
  const taken = new Set((await tx.select({ name: images.name }).from(images).where(where)).map(({ name }) => name))
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`
    if (!taken.has(name)) return name
  }
}

/** What this host has of the image, or a note that it is to have one. */
export async function wantCopy(tx: Tx, image: ImageRow, host: string): Promise<CopyRow> {
  await tx.insert(imageCopies).values({ imageId: image.id, host, state: 'PENDING' }).onConflictDoNothing()
  const copy = await copyOf(tx, image.id, host)
  if (!copy) throw new Error('a copy went away while its image was locked')
  return copy
}

/** The pull that is under way for the image on this host, or a new one. The image must be locked. */
export async function pullOf(store: ImageStore, tx: Tx, image: ImageRow, actor: string, host: string): Promise<OperationRow> {
  const { operations } = store.db.tables
  const open = and(
    eq(operations.resourceId, image.id),
    eq(operations.host, host),
    eq(operations.kind, 'image.pull'),
    isNull(operations.endTime),
  )
  const [found] = await tx
    .select()
    .from(operations)
    .where(and(open, eq(operations.cancelRequested, false)))
    .orderBy(asc(operations.id))
    .limit(1)
  return found ?? accept(tx, { kind: 'image.pull', resource: { ...image, host }, actor })
}

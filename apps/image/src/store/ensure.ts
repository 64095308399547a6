import { isId, together, type Tx } from '@berth/db'
import { fromStatus, isBerthError, notFound } from '@berth/errors'
import type { Image } from '@berth/proto/berth/image/v1/image_pb.ts'
import { and, asc, eq, isNull } from 'drizzle-orm'
import { formatReference, parseReference } from '../domain/reference.ts'
import { changeCopy, copyOf } from './copies.ts'
import { imageOf, pullOf, wantCopy } from './demand.ts'
import { addHold, holdOf, type Owner, removeHold } from './holds.ts'
import type { ImageRow, ImageStore } from './images.ts'
import { type CopyRow, type HoldRow, images } from './tables.ts'

export interface EnsureInput {
  owner: Owner
  project: string
  actor: string
  /** Reference, or id or name of an image of the project. */
  text: string
}

export interface Ensured {
  image: Image
  ready: boolean
  /** Digest of the root once ready. */
  digest: string
  /** The pull to follow; empty when ready. */
  operationId: string
  /** Bytes that it has fetched, and all it will fetch; 0 when unknown. */
  doneBytes: number
  totalBytes: number
}

interface Pull {
  id: string
  doneBytes: number
  totalBytes: number
}

const nameLike = /^[-a-z0-9]+$/
/** Undoes the transaction of the usual case when it is another: shared locks must not grow into those of an update. */
const otherwise = new Error('not the usual case')
const noPull: Pull = { id: '', doneBytes: 0, totalBytes: 0 }

/** Holds of owners on this host. */
export function imageHolds(store: ImageStore, host: string) {
  const { db } = store

  /** What the owner's hold says, without writing: the way of every call but the first. */
  async function look(owner: Owner): Promise<Ensured | undefined> {
    const hold = await db.read((queries) => holdOf(queries, owner))
    if (hold?.error) await refuse(owner, hold)
    if (!hold?.imageId) return undefined
    // The copy first: an image that is read after a copy that is ready has its configuration.
    const copy = await db.read((queries) => copyOf(queries, hold.imageId ?? '', host))
    const image = copy && (await store.byId(hold.imageId))
    if (!image || !copy) return undefined
    return copy.state === 'READY' ? answer(image, copy, noPull) : answer(image, copy, await openPull(image.id))
  }

  /** Throws why the owner did not get its image. What may pass is told once: the next call begins again. */
  async function refuse(owner: Owner, { error }: HoldRow): Promise<never> {
    const failure = error ? fromStatus(error) : undefined
    if (failure?.retryable) await db.transaction('image.ensure', (tx) => removeHold(tx, owner))
    throw failure
  }

  async function openPull(imageId: string): Promise<Pull> {
    const { operations } = db.tables
    const open = and(
      eq(operations.resourceId, imageId),
      eq(operations.host, host),
      eq(operations.kind, 'image.pull'),
      isNull(operations.endTime),
    )
    const [found] = await db.read((queries) => queries.select().from(operations).where(open).orderBy(asc(operations.id)).limit(1))
    if (!found) return noPull
    return found.unit === 'bytes' ? { id: found.id, doneBytes: found.done, totalBytes: found.total } : { ...noPull, id: found.id }
  }

  const answer = (image: ImageRow, { state, digest }: CopyRow, { id, doneBytes, totalBytes }: Pull): Ensured => ({
    image: store.toMessage(image),
    ready: state === 'READY',
    digest,
    operationId: id,
    doneBytes,
    totalBytes,
  })

  /** The image a text names: one of the project's by id or name, else the one of the reference. Locked, and not on its way out. */
  async function named(tx: Tx, { project, actor, text }: EnsureInput): Promise<ImageRow> {
    const id = /^img_[0-9a-z]{26}$/.test(text) && isId(text)
    const where = and(eq(images.project, project), id ? eq(images.id, text) : eq(images.name, text), isNull(images.deleteTime))
    const [found] = await tx.select({ id: images.id }).from(images).where(where)
    const locked = found && (await store.lockById(tx, found.id))
    if (locked?.deleteTime === null) return locked
    if (id) throw notFound('IMAGE_NOT_FOUND', `no image “${text}”`, { field: 'reference', metadata: { image: text } })
    return imageOf(store, tx, { project, actor, text, host })
  }

  /** The usual first call: the reference is that of a living image which is ready here, and the owner has no hold yet. @throws otherwise */
  async function holdReady(tx: Tx, { owner, project, text }: EnsureInput): Promise<Ensured> {
    // Shared: many take the same image at once, and whoever deletes it waits for all of them.
    const image = await store.byColumns({ project, reference: formatReference(parseReference(text)), deleteTime: null }, tx, 'share')
    if (!image) throw otherwise
    const [copy, added] = await together([copyOf(tx, image.id, host), addHold(tx, owner, { project, host, imageId: image.id })])
    if (copy?.state !== 'READY' || !added) throw otherwise
    return answer(image, copy, noPull)
  }

  return {
    look,

    /** Makes the owner's hold, and the image and its copy where they are missing. */
    async ensure(input: EnsureInput): Promise<Ensured> {
      const seen = await look(input.owner)
      if (seen) return seen
      try {
        // What may be a name is looked for among names first.
        if (!isId(input.text) && !nameLike.test(input.text)) return await db.transaction('image.ensure', (tx) => holdReady(tx, input))
      } catch (error) {
        if (error !== otherwise) throw error
      }
      return db.transaction('image.ensure', async (tx) => {
        const hold = await holdOf(tx, input.owner)
        const held = hold?.imageId ? await store.lockById(tx, hold.imageId) : undefined
        const image = held ?? (await named(tx, input))
        const copy = await wantCopy(tx, image, host)
        if (!held) await addHold(tx, input.owner, { project: input.project, host, imageId: image.id })
        const operation = copy.state === 'READY' ? undefined : await pullOf(store, tx, image, input.actor, host)
        return answer(image, copy, { ...noPull, id: operation?.id ?? '' })
      })
    },

    /** Notes that the root is not on the host although the row says so: it is made again. */
    lost: (imageId: string, actor: string): Promise<void> =>
      db.transaction('image.lost', async (tx) => {
        const image = await store.lockById(tx, imageId)
        if (!image) return
        await changeCopy(tx, imageId, host, { state: 'PENDING' })
        await pullOf(store, tx, image, actor, host)
      }),

    /** Ends the owner's hold. OK when there is none. */
    release: async (owner: Owner): Promise<void> => {
      if (await db.read((queries) => holdOf(queries, owner))) await db.transaction('image.release', (tx) => removeHold(tx, owner))
    },
  }
}

export type ImageHolds = ReturnType<typeof imageHolds>

/** Whether an error came from the registry or the image, rather than from the database or from being overtaken. */
export const isVerdict = (error: unknown): boolean =>
  !isBerthError(error) || !['DATABASE_UNAVAILABLE', 'CONFLICT', 'LEASE_LOST', 'NOT_MIGRATED'].includes(error.reason)

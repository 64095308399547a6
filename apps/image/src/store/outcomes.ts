import type { Fence, Tx } from '@berth/db'
import type { ErrorStatus } from '@berth/errors'
import { CopyState, ImageSpecSchema } from '@berth/proto/berth/image/v1/image_pb.ts'
import { create } from '@bufbuild/protobuf'
import { and, eq, isNull } from 'drizzle-orm'
import type { RunConfig } from '../domain/config.ts'
import { partsOf, type Resolved } from '../domain/ports.ts'
import { formatReference, parseReference } from '../domain/reference.ts'
import { withCopy, withDigest, withoutCopy, withRoot } from '../domain/status.ts'
import { changeCopy, copyCount, copyOf, removeCopy } from './copies.ts'
import { failHolds, holdsOn, moveHolds } from './holds.ts'
import type { ImageRow, ImageStore } from './images.ts'
import { freeName, wantCopy } from './demand.ts'
import { images } from './tables.ts'

/** What was made of an image. */
export interface Made {
  resolved: Resolved
  run: RunConfig
  rootSizeBytes: number
}

/** How the work on a copy is written down; each runs in its caller's transaction. */
export function outcomes(store: ImageStore) {
  /** Fixes what is to be pulled before any of it is on the host, so that it can be found again after a crash. */
  async function recordResolved(tx: Tx, lease: Fence, row: ImageRow, resolved: Resolved): Promise<void> {
    const image = await store.lockById(tx, row.id)
    const copy = await copyOf(tx, row.id, lease.hostId)
    if (!image || !copy) return
    const parts = partsOf(resolved)
    if (copy.state === 'READY') return changeCopy(tx, row.id, lease.hostId, { extra: [...new Set([...copy.extra, ...parts])] })
    await changeCopy(tx, row.id, lease.hostId, { digest: resolved.digest, parts })
    await store.updateStatus(tx, lease, image, image.status.digest === '' ? withDigest(image.status, resolved) : image.status)
  }

  async function recordReady(tx: Tx, lease: Fence, row: ImageRow, made: Made): Promise<void> {
    const image = await store.lockById(tx, row.id)
    const copy = await copyOf(tx, row.id, lease.hostId)
    if (!image || !copy) return
    const { digest } = made.resolved
    const moved = copy.state === 'READY' && copy.digest !== digest
    if (moved) await keepOldFor(tx, lease, image)
    const parts = partsOf(made.resolved)
    const extra = [...new Set([...copy.parts, ...copy.extra])].filter((part) => !parts.includes(part as never))
    await changeCopy(tx, image.id, lease.hostId, { state: 'READY', digest, parts, extra, readyTime: new Date() })
    const status = withRoot(withCopy(image.status, lease.hostId, CopyState.READY, new Date()), made.resolved, made.run, made.rootSizeBytes)
    await store.updateStatus(tx, lease, image, status)
  }

  /** Before an image goes over to a new digest: those who use the old one keep it, as an image that names it by digest. */
  async function keepOldFor(tx: Tx, lease: Fence, image: ImageRow): Promise<void> {
    if ((await holdsOn(tx, image.id)).length === 0) return
    const reference = { ...parseReference(image.spec.reference), tag: undefined, digest: image.status.digest as `sha256:${string}` }
    const text = formatReference(reference)
    const where = and(eq(images.project, image.project), eq(images.reference, text), isNull(images.deleteTime))
    const [known] = await tx.select({ id: images.id }).from(images).where(where)
    const kept = known
      ? await store.lockById(tx, known.id)
      : await insertKept(tx, image, text, await freeName(tx, image.project, reference))
    if (!kept) throw new Error('an image went away while its transaction ran')
    const before = await copyOf(tx, image.id, lease.hostId)
    await wantCopy(tx, kept, lease.hostId)
    if (before) {
      const { state, digest, parts, readyTime } = before
      await changeCopy(tx, kept.id, lease.hostId, { state, digest, parts, readyTime })
    }
    await moveHolds(tx, image.id, kept.id)
  }

  function insertKept(tx: Tx, image: ImageRow, reference: string, name: string): Promise<ImageRow> {
    const { project, labels, host, creator, status } = image
    const spec = create(ImageSpecSchema, { reference })
    return store.insert(tx, { project, name, spec, status, host, creator, labels, extra: { reference } })
  }

  /** This host has nothing of the image any more. The last host's leaving takes the image with it. @returns whether it did */
  async function recordGone(tx: Tx, lease: Fence, row: ImageRow): Promise<boolean> {
    const image = await store.lockById(tx, row.id)
    await removeCopy(tx, row.id, lease.hostId)
    if (!image) return true
    const last = (await copyCount(tx, row.id)) === 0
    if (last) await store.remove(tx, lease, image)
    else await store.updateStatus(tx, lease, image, withoutCopy(image.status, lease.hostId, new Date()))
    return last
  }

  /** A pull ended without a root: who waited for it learns why. What was ready before stays so. */
  async function recordFailed(tx: Tx, lease: Fence, row: ImageRow, error: ErrorStatus): Promise<void> {
    const copy = await copyOf(tx, row.id, lease.hostId)
    if (copy?.state === 'READY') return changeCopy(tx, row.id, lease.hostId, { extra: [] })
    await failHolds(tx, row.id, lease.hostId, error)
    await recordGone(tx, lease, row)
  }

  return { recordResolved, recordReady, recordGone, recordFailed }
}

export type Outcomes = ReturnType<typeof outcomes>

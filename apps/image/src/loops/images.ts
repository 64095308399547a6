import { again, defineSteps, type Next, type ReconcileContext, settled } from '@berth/controller'
import { cancelled, toStatus } from '@berth/errors'
import type { Digest } from '../domain/digest.ts'
import { changeCopy, copyOf, unshared } from '../store/copies.ts'
import { isVerdict } from '../store/ensure.ts'
import type { ImageRow } from '../store/images.ts'
import { pullImage } from './pull.ts'
import { cancelledByRequest, type ImageLoop, PARTS, type Work } from './work.ts'

const step = defineSteps('image.delete', ['remove', 'record'])

/** Brings what this host has of an image to what is wanted: pulled, pulled again, or gone. */
export function reconcileImage(loop: ImageLoop): (row: ImageRow, ctx: ReconcileContext) => Promise<Next> {
  return async (row, ctx) => {
    const host = ctx.lease.hostId
    const copy = await loop.db.read((queries) => copyOf(queries, row.id, host))
    if (!copy) return settled()
    if (row.deleteTime === null && copy.state === 'READY' && (await loop.library.findRoot(copy.digest as Digest)) === undefined) {
      await loop.db.transaction('image.lost', (tx) => changeCopy(tx, row.id, host, { state: 'PENDING' }))
      return again(0)
    }
    const pulls = ctx.operations.filter((operation) => operation.kind === 'image.pull' && operation.host === host)
    const work = { ...loop, row, copy, pulls, ctx }
    if (row.deleteTime !== null) return remove(work)
    if (pulls.length > 0 && pulls.every(({ cancelRequested }) => cancelRequested)) return giveUp(work, cancelledByRequest())
    if (copy.state === 'READY' && pulls.length === 0) return tidy(work)
    try {
      await pullImage(work)
    } catch (error) {
      ctx.signal.throwIfAborted()
      if (!isVerdict(error)) throw error
      return giveUp(work, error)
    }
    // Only a version before this one leaves something to tidy.
    return copy.parts.length + copy.extra.length > 0 ? again(0) : settled()
  }
}

/** Undoes a pull that failed or was cancelled: what only it brought is removed, its operations end, who waits learns why. */
async function giveUp(work: Work, error: unknown): Promise<Next> {
  const { db, outcomes, operations, row, copy, pulls, ctx, logger } = work
  const status = toStatus(error)
  if (status.reason === 'INTERNAL') logger.error({ err: error, image: row.id }, 'pull failed')
  else
    logger.info(
      { image: row.id, reason: status.reason, cause: error instanceof Error ? String(error.cause) : undefined },
      'pull ended without an image',
    )
  const current = (await db.read((queries) => copyOf(queries, row.id, ctx.lease.hostId))) ?? copy
  await removeParts(work, current.state === 'READY' ? current.extra : [...current.parts, ...current.extra])
  await db.transaction('image.failed', async (tx) => {
    await outcomes.recordFailed(tx, ctx.lease, row, status)
    for (const { id, cancelRequested } of pulls) await operations.finish(tx, id, cancelRequested ? 'CANCELLED' : 'FAILED', error)
  })
  return settled()
}

async function remove(work: Work): Promise<Next> {
  const { db, outcomes, operations, row, copy, pulls, ctx } = work
  const deleted = cancelled('RESOURCE_DELETED', 'the image was deleted')
  await step('remove', ctx.signal, () => removeParts(work, [...copy.parts, ...copy.extra]))
  await step('record', ctx.signal, () =>
    db.transaction('image.gone', async (tx) => {
      const last = await outcomes.recordGone(tx, ctx.lease, row)
      if (last) await operations.finishAll(tx, row.id, { 'image.delete': 'DONE' }, deleted)
      else for (const { id } of pulls) await operations.finish(tx, id, 'CANCELLED', deleted)
    }),
  )
  return settled()
}

/** Removes what an earlier version of the image left. */
async function tidy(work: Work): Promise<Next> {
  const { db, row, copy, ctx } = work
  if (copy.extra.length === 0) return settled()
  await removeParts(work, copy.extra)
  await db.transaction('image.tidy', (tx) => changeCopy(tx, row.id, ctx.lease.hostId, { extra: [] }))
  return settled()
}

/** Removes from the host those digests that no other image's copy names. */
async function removeParts({ db, library, row, copy, ctx }: Work, digests: string[]): Promise<void> {
  const own = copy.state === 'READY' ? digests.filter((digest) => row.deleteTime !== null || !copy.parts.includes(digest)) : digests
  await library.exclusively(PARTS, ctx.lifetime, async () => library.remove(await unshared(db, ctx.lease.hostId, row.id, own)))
}

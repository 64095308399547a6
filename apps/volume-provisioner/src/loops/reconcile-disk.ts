import { isDeepStrictEqual } from 'node:util'
import { again, type Next, type Operations, type ReconcileContext, settled } from '@berth/controller'
import { type Database, type OperationRow, together } from '@berth/db'
import { cancelled, isBerthError } from '@berth/errors'
import { accessFor } from '../domain/access.ts'
import { findOrMake, type Outcome } from '../domain/make-disk.ts'
import type { StorageBackend } from '../domain/ports.ts'
import { failedStatus, readyStatus, wasReady } from '../domain/status.ts'
import { attachmentsOf, forgetDisks, forgetReleased, type Held } from '../store/attachments.ts'
import type { Disk, DiskStore } from '../store/disks.ts'
import type { Interrupts } from './interrupts.ts'
import { createStep, ensureStep, releaseStep } from './steps.ts'

export type DiskLoop = { db: Database; store: DiskStore; backend: StorageBackend; operations: Operations; interrupts: Interrupts }

/**
 * Brings one disk to what its row and its attachments say. Every pass looks at the host anew, so it can be resumed from any line.
 */
export async function reconcileDisk(loop: DiskLoop, row: Disk, ctx: ReconcileContext): Promise<Next> {
  if (row.deleteTime) return release(loop, row, ctx)
  const create = ctx.operations.find(({ kind }) => kind === 'volume.create')
  if (create?.cancelRequested) return undo(loop, row, ctx, create, cancelled('OPERATION_CANCELLED', 'the creation was cancelled'))
  try {
    return await loop.interrupts.during(row.id, ctx.signal, (signal) => converge(loop, row, { ...ctx, signal }, create))
  } catch (error) {
    if (!create || ctx.signal.aborted || (isBerthError(error) && (error.code === 'UNAVAILABLE' || error.code === 'ABORTED'))) throw error
    return undo(loop, row, ctx, create, error)
  }
}

async function converge(loop: DiskLoop, row: Disk, ctx: ReconcileContext, create: OperationRow | undefined): Promise<Next> {
  const { backend, store, db, operations } = loop
  const { signal } = ctx
  const held = await db.read((queries) => attachmentsOf(queries, row.id))
  const kind = store.kind === 'scratch' ? 'scratch' : 'volume'
  const wanted = { id: row.id, kind, sizeBytes: Number(row.spec.sizeBytes), wasReady: wasReady(row.status) } as const
  if (create) {
    await db.transaction('volume.begin', (tx) => operations.begin(tx, create.id))
    operations.progress(create.id, { stage: 'MAKE', done: 0, total: 1, unit: 'steps' })
  }
  const outcome = await findOrMake(
    backend,
    wanted,
    (run) => (create ? createStep('make', signal, run) : ensureStep('clone', signal, run)),
    signal,
  )
  if ('found' in outcome) {
    const grant = () => backend.setAccess(row.id, accessFor(held))
    await (create ? createStep('grant', signal, grant) : ensureStep('grant', signal, grant))
  }
  const write = () => record(loop, row, ctx, create, outcome, held)
  await (create ? createStep('record', signal, write) : ensureStep('record', signal, write))
  return settled()
}

/** Writes what is so; nothing when the row says so already. */
async function record(
  { db, store, operations }: DiskLoop,
  row: Disk,
  ctx: ReconcileContext,
  create: OperationRow | undefined,
  outcome: Outcome,
  held: Held[],
): Promise<void> {
  const released = held.filter(({ releasing }) => releasing)
  const purpose = `${store.kind}.record`
  if (!create && released.length === 0) {
    const status = statusOf(row, outcome, held)
    // An owner that has come meanwhile has a pass of its own, which follows this one.
    if (isDeepStrictEqual(status, row.status) || (await store.writeStatus(purpose, ctx.lease, row, status))) return
  }
  await db.transaction(purpose, async (tx) => {
    const locking = store.lockById(tx, row.id)
    // Read again under the lock: an owner may have come meanwhile; its own pass follows this one.
    const [locked, , now] = await together([locking, forgetReleased(tx, row.id, released), attachmentsOf(tx, row.id)])
    if (!locked) return
    await store.updateStatus(tx, ctx.lease, locked, statusOf(locked, outcome, now))
    if (create) await operations.finish(tx, create.id, 'DONE')
  })
}

function statusOf(row: Disk, outcome: Outcome, attachments: Held[]): Disk['status'] {
  const { generation, status } = row
  if ('lost' in outcome) return failedStatus(status, generation, outcome.lost)
  // What is allocated grows with every write of the guest: it is written down with other changes, not for itself.
  const ready = readyStatus(status, outcome.found, outcome.made, { generation, attachments })
  const quiet = { ...ready, allocatedBytes: status.allocatedBytes }
  return isDeepStrictEqual(quiet, status) ? status : ready
}

/** A creation that failed or was cancelled leaves nothing but its operation; one that has been recorded meanwhile stands. */
async function undo(loop: DiskLoop, row: Disk, ctx: ReconcileContext, create: OperationRow, error: unknown): Promise<Next> {
  const now = await loop.store.byId(row.id)
  if (!now || wasReady(now.status)) return again(0)
  await loop.backend.remove(row.id)
  await loop.db.transaction('volume.undo', async (tx) => {
    await forgetDisks(tx, [row.id])
    await loop.store.remove(tx, ctx.lease, row)
    await loop.operations.finish(tx, create.id, create.cancelRequested ? 'CANCELLED' : 'FAILED', error)
  })
  return settled()
}

/** Nobody may open the file any more before its bytes go, and the row goes last: as long as there is something, something names it. */
async function release({ db, store, backend, operations }: DiskLoop, row: Disk, ctx: ReconcileContext): Promise<Next> {
  // Not ended by cancel or delete: this is what they lead to.
  const { lifetime } = ctx
  const asked = ctx.operations.find(({ kind }) => kind === 'volume.delete')
  if (asked) await db.transaction('volume.begin', (tx) => operations.begin(tx, asked.id))
  await releaseStep('revoke', lifetime, async () => {
    if (await backend.find(row.id)) await backend.setAccess(row.id, accessFor([]))
  })
  await releaseStep('remove', lifetime, () => backend.remove(row.id))
  await releaseStep('forget', lifetime, () =>
    db.transaction(`${store.kind}.forget`, async (tx) => {
      await forgetDisks(tx, [row.id])
      await store.remove(tx, ctx.lease, row)
      await operations.finishAll(tx, row.id, { 'volume.delete': 'DONE' }, cancelled('RESOURCE_DELETED', 'the volume was deleted'))
    }),
  )
  return settled()
}

import { again, type Next, type ReconcileContext } from '@berth/controller'
import type { OperationRow } from '@berth/db'
import { toStatus } from '@berth/errors'
import { isFinal, type Tried } from '../domain/final.ts'
import { startDueMs } from '../domain/restart.ts'
import type { InstanceRow } from '../store/tables.ts'
import type { InstanceContext } from './context.ts'
import { converge } from './converge.ts'
import { startFailed } from './start-failed.ts'
import { remove, undo } from './tear-down.ts'

/** The net under the queue's own waking. */
const queuedMs = 30_000

/** Looks at what should be and what is, does the next thing, and says when to look again. */
export async function reconcileInstance(ctx: InstanceContext, row: InstanceRow, run: ReconcileContext): Promise<Next> {
  const create = run.operations.find(({ kind }) => kind === 'instance.create')
  if (row.deleteTime) return remove(ctx, row, run)
  if (create && (create.cancelRequested || row.extra.failure)) return undo(ctx, row, run, create)
  if (create && !ctx.admission.enter(row.id, create.id, { running: row.status.startTime !== undefined })) return again(queuedMs)
  try {
    return await converge(ctx, row, run, create)
  } catch (error) {
    // Whoever interrupted has the next turn; what may pass is tried again, but not for ever.
    if (run.signal.aborted || !isFinal(error, tried(row, run, create ?? run.operations[0]), Date.now())) throw error
    if (!create) return startFailed(ctx, row, run, error)
    await ctx.store.db.transaction('instance.create.failed', async (tx) => {
      await ctx.store.updateStatus(tx, run.lease, row, row.status, { failure: toStatus(error) })
    })
    return again(0)
  }
}

function tried(row: InstanceRow, { failingSinceMs }: ReconcileContext, asked: OperationRow | undefined): Tried {
  return { askedMs: asked?.createTime.getTime() ?? startDueMs(row.status), failingSinceMs }
}

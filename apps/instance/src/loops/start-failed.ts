import { again, type Next, type ReconcileContext } from '@berth/controller'
import { isBerthError, toStatus } from '@berth/errors'
import { tellStartFailed } from '../domain/status.ts'
import type { InstanceRow } from '../store/tables.ts'
import type { InstanceContext } from './context.ts'
import { observe } from './observe.ts'

/** A start that failed for good ends its operations; the instance stays, off, and its restart policy has the next word. */
export async function startFailed(ctx: InstanceContext, row: InstanceRow, run: ReconcileContext, error: unknown): Promise<Next> {
  const { living, status, extra } = await observe(ctx, row, run)
  await living?.vm.kill(run.signal)
  const reason = isBerthError(error) ? error.reason : 'INTERNAL'
  tellStartFailed(status, reason, toStatus(error).message, Date.now())
  await ctx.store.db.transaction('instance.start.failed', async (tx) => {
    await ctx.store.updateStatus(tx, run.lease, row, status, extra)
    for (const { id } of run.operations) await ctx.operations.finish(tx, id, 'FAILED', error)
  })
  return again(0)
}

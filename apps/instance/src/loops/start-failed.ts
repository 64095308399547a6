import { again, type Next, type ReconcileContext } from '@berth/controller'
import { isBerthError, toStatus } from '@berth/errors'
import { isWantedOff, restartsSoFar } from '../domain/decide.ts'
import { isFailure } from '../domain/history.ts'
import { isRunning, tellStartFailed } from '../domain/status.ts'
import type { InstanceRow } from '../store/tables.ts'
import type { InstanceContext } from './context.ts'
import { type Observed, observe } from './observe.ts'

/**
 * A start that failed for good ends its operations; the instance stays, off, and its restart policy has the next word. A VM that runs, or that is wanted
 * off, is none of it: whatever could not be done about it ends what was asked, and is tried again. Nor is one whose guest has powered off meanwhile: the
 * next look tells its end.
 */
export async function startFailed(ctx: InstanceContext, row: InstanceRow, run: ReconcileContext, error: unknown): Promise<Next> {
  const { runs, status, extra, justEnded } = await offUnlessRunning(ctx, row, run)
  if (justEnded && !isFailure(status.lastExit?.reason ?? '')) throw error
  const starts = !runs && !isWantedOff(row.spec)
  if (starts) {
    const reason = isBerthError(error) ? error.reason : 'INTERNAL'
    const restarts = run.operations.length > 0 ? 0 : restartsSoFar(status) + 1
    tellStartFailed(status, { reason, message: toStatus(error).message, restarts }, Date.now())
    // What was asked for has been tried: from here on the policy decides.
    status.observedRestartGeneration = row.spec.restartGeneration
  }
  if (starts || run.operations.length > 0)
    await ctx.store.db.transaction(starts ? 'instance.start.failed' : 'instance.change.failed', async (tx) => {
      await ctx.store.updateStatus(tx, run.lease, row, status, extra)
      for (const { id } of run.operations) await ctx.operations.finish(tx, id, 'FAILED', error)
    })
  if (!starts) throw error
  return again(0)
}

/** A VMM that was made and does not run is ended; what is told then includes its end. */
async function offUnlessRunning(ctx: InstanceContext, row: InstanceRow, run: ReconcileContext): Promise<Observed & { runs: boolean }> {
  const found = await observe(ctx, row, run)
  if (!found.living) return { ...found, runs: false }
  if (isRunning(found.status)) return { ...found, runs: true }
  await found.living.vm.kill(run.signal)
  return { ...(await observe(ctx, row, run)), runs: false }
}

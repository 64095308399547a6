import type { Tx } from '@berth/db'
import { cancelled } from '@berth/errors'
import type { ReconcileContext } from '@berth/controller'
import { outcomeOf, type Rest } from '../domain/outcome.ts'
import { sameStatus } from '../domain/status.ts'
import type { InstanceRow } from '../store/tables.ts'
import type { InstanceContext } from './context.ts'
import type { Observed } from './observe.ts'

/**
 * Writes what is so and, with `rest`, that the host has caught up and how the open operations ended: one transaction. Nothing new writes nothing.
 *
 * @param purpose what the transaction is counted as
 */
export async function write(
  ctx: InstanceContext,
  row: InstanceRow,
  run: ReconcileContext,
  observed: Observed,
  purpose: string,
  rest?: Rest,
): Promise<void> {
  const { status, extra } = observed
  if (rest) status.observedGeneration = BigInt(row.generation)
  const open = rest ? run.operations : []
  if (open.length === 0 && isAsWritten(row, observed)) return
  await ctx.store.db.transaction(purpose, async (tx) => {
    await ctx.store.updateStatus(tx, run.lease, row, status, extra)
    if (!rest) await beginAll(ctx, tx, run)
    for (const { id, kind } of open) {
      const outcome = outcomeOf(kind, rest as Rest)
      const error = outcome.state === 'FAILED' ? outcome.error : outcome.state === 'CANCELLED' ? overtaken() : undefined
      await ctx.operations.finish(tx, id, outcome.state, error)
    }
  })
}

/** Marks what is asked for as begun. */
export async function beginAll(ctx: InstanceContext, tx: Tx, { operations }: ReconcileContext): Promise<void> {
  for (const { id, state } of operations) if (state === 'PENDING') await ctx.operations.begin(tx, id)
}

function isAsWritten(row: InstanceRow, { status, extra }: Observed): boolean {
  const same = extra.journalSeq === row.extra.journalSeq && extra.stopBegun?.getTime() === row.extra.stopBegun?.getTime()
  return same && sameStatus(row.status, status)
}

function overtaken() {
  return cancelled('SUPERSEDED', 'a later call asked for something else')
}

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
    for (const { id, kind } of rest ? open : []) {
      const outcome = outcomeOf(kind, rest as Rest)
      const error = outcome.state === 'FAILED' ? outcome.error : outcome.state === 'CANCELLED' ? overtaken() : undefined
      await ctx.operations.finish(tx, id, outcome.state, error)
    }
  })
}

function isAsWritten(row: InstanceRow, { status, extra }: Observed): boolean {
  const same = extra.journalSeq === row.extra.journalSeq && extra.stopBegun?.getTime() === row.extra.stopBegun?.getTime()
  return same && sameStatus(row.status, status)
}

function overtaken() {
  return cancelled('SUPERSEDED', 'a later call asked for something else')
}

import { together, type Tx } from '@berth/db'
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
  const alone = open.length === 0 && (rest !== undefined || run.operations.every(({ state }) => state !== 'PENDING'))
  if (alone && (await ctx.store.writeStatus(purpose, run.lease, row, status, extra))) return
  await ctx.store.db.transaction(purpose, async (tx) => {
    const writes = [ctx.store.updateStatus(tx, run.lease, row, status, extra), ...(rest ? [] : [beginAll(ctx, tx, run)])]
    const ends = open.map(({ id, kind }) => {
      const outcome = outcomeOf(kind, rest as Rest)
      const error = outcome.state === 'FAILED' ? outcome.error : outcome.state === 'CANCELLED' ? overtaken() : undefined
      return ctx.operations.finish(tx, id, outcome.state, error)
    })
    await together([...writes, ...ends])
  })
}

/** Writes what is so when that is news to who reads the status; how far the journal is told can wait. */
export function tell(ctx: InstanceContext, row: InstanceRow, run: ReconcileContext, observed: Observed): Promise<void> {
  return sameStatus(row.status, observed.status) ? Promise.resolve() : write(ctx, row, run, observed, 'instance.told')
}

/** Marks what is asked for as begun. */
export async function beginAll(ctx: InstanceContext, tx: Tx, { operations }: ReconcileContext): Promise<void> {
  const pending = operations.filter(({ state }) => state === 'PENDING')
  await together(pending.map(({ id }) => ctx.operations.begin(tx, id)))
}

function isAsWritten(row: InstanceRow, { status, extra }: Observed): boolean {
  const same = extra.journalSeq === row.extra.journalSeq && extra.stopBegun?.getTime() === row.extra.stopBegun?.getTime()
  return same && sameStatus(row.status, status)
}

function overtaken() {
  return cancelled('SUPERSEDED', 'a later call asked for something else')
}

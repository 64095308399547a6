import type { ReconcileContext } from '@berth/controller'
import { mustEnd } from '../domain/decide.ts'
import { foldHistory } from '../domain/history.ts'
import type { VmPlace } from '../domain/machine.ts'
import { placeOf } from '../domain/place.ts'
import { copyStatus, type InstanceStatus } from '../domain/status.ts'
import type { InstanceExtra, InstanceRow } from '../store/tables.ts'
import type { InstanceContext } from './context.ts'
import type { Living } from './living.ts'

/** What is so, found by looking; written by whoever acts on it. */
export type Observed = {
  place: VmPlace
  living: Living | undefined
  /** The row's status with all that the journal tells. */
  status: InstanceStatus
  /** Goes with the status: how far the journal is told. */
  extra: Pick<InstanceExtra, 'journalSeq' | 'stopBegun'>
  /** Whether the journal told of an end that the row does not know. */
  justEnded: boolean
}

/**
 * Looks at VMM and journal. The journal is read after the look, so that an end seen by the look is in it.
 *
 * @param made the VM that was made a moment ago, which needs no look
 */
export async function observe(ctx: InstanceContext, row: InstanceRow, { signal }: ReconcileContext, made?: Living): Promise<Observed> {
  const { journalSeq, stopBegun, uid } = row.extra
  const place = placeOf({ id: row.id, uid }, ctx.folders)
  const insist = mustEnd({ spec: row.spec, status: row.status, stopBegun: stopBegun !== null })
  const living = made ?? (await ctx.living.look(place, journalSeq, signal, { insist }))
  const events = await ctx.hypervisor.events(place, 1)
  const status = copyStatus(row.status)
  foldHistory(status, events, { after: journalSeq, hostBootId: ctx.hostBootId, stopAsked: stopBegun !== null })
  const justEnded = events.some(({ kind, seq }) => kind === 'exited' && seq > journalSeq)
  const extra = { journalSeq: events.at(-1)?.seq ?? journalSeq, stopBegun: justEnded ? null : stopBegun }
  return { place, living, status, extra, justEnded }
}

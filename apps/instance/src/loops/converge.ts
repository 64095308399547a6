import { again, type Next, type ReconcileContext, settled } from '@berth/controller'
import type { OperationRow } from '@berth/db'
import { decide, isWantedOff } from '../domain/decide.ts'
import { stillHeld } from '../domain/final.ts'
import { isFailure } from '../domain/history.ts'
import { type Ended, vmmFailed } from '../domain/outcome.ts'
import { planRestart, tellLosses } from '../domain/status.ts'
import type { InstanceRow } from '../store/tables.ts'
import { bringUp } from './bring-up.ts'
import { consoleTail } from './console-tail.ts'
import type { InstanceContext } from './context.ts'
import { type Observed, observe } from './observe.ts'
import { detach } from './tear-down.ts'
import { goOn } from './go-on.ts'
import { tell, write } from './settle.ts'
import { stop } from './stop.ts'

/** Time between two looks at an image that is being pulled; its service holds each question for a second as well. */
const pullMs = 100
/** Time between two looks at a VMM that goes by itself; its end is told at once. */
const leaveMs = 1_000

/** Brings what is closer to what is wanted by one thing, for an instance that is not going away. */
export async function converge(
  ctx: InstanceContext,
  row: InstanceRow,
  run: ReconcileContext,
  create: OperationRow | undefined,
): Promise<Next> {
  const observed = await observe(ctx, row, run)
  const { living, status, extra } = observed
  const next = decide({ spec: row.spec, status, alive: living !== undefined, stopBegun: extra.stopBegun !== null, nowMs: Date.now() })
  if (create && observed.justEnded && next.do !== 'start' && isFailure(status.lastExit?.reason ?? ''))
    throw vmmFailed(await endOf(ctx, observed))
  switch (next.do) {
    case 'run':
      return goOn(ctx, { row, observed, run, create })
    case 'leave':
      await tell(ctx, row, run, observed)
      return again(leaveMs)
    case 'stop':
      return stop(ctx, { row, observed, run })
    case 'start': {
      ctx.holdNothing.delete(row.id)
      // An end is told at once, whatever the next start has to wait for.
      if (observed.justEnded) await write(ctx, row, run, observed, 'instance.ended')
      const purpose = create ? 'create' : 'start'
      const operationId = run.operations.at(-1)?.id
      const made = await bringUp(ctx, { row, observed, run, purpose, byPolicy: next.restart, operationId })
      if ('operationId' in made) return again(pullMs)
      // All that was asked for has begun with the row that was written.
      const begun = { ...run, operations: run.operations.map((operation) => ({ ...operation, state: 'RUNNING' as const })) }
      return goOn(ctx, { row: made.row, observed: await observe(ctx, made.row, run, made.living), run: begun, create })
    }
    case 'wait':
    case 'rest':
      return rest(ctx, row, run, observed, next.do === 'wait' ? next.untilMs : undefined)
  }
}

/** Off, for good or until the policy starts it: takes back what only a living VM may hold. */
async function rest(
  ctx: InstanceContext,
  row: InstanceRow,
  run: ReconcileContext,
  observed: Observed,
  untilMs: number | undefined,
): Promise<Next> {
  const { status } = observed
  ctx.admission.leave(row.id)
  tellLosses(status, [], Date.now())
  planRestart(status, untilMs)
  await holdNothing(ctx, row, run, observed)
  const how = isWantedOff(row.spec) ? ({ at: 'stopped' } as const) : await endedBy(ctx, observed)
  await write(ctx, row, run, observed, 'instance.rest', how)
  return untilMs === undefined ? settled() : again(Math.max(0, untilMs - Date.now()))
}

/**
 * Takes back what only a living VM may hold, once for every end and once for every life of this service, which cannot know how far the one before came.
 * An end is told though a neighbour that has its part in this does not answer.
 */
async function holdNothing(ctx: InstanceContext, row: InstanceRow, run: ReconcileContext, observed: Observed): Promise<void> {
  const { place, justEnded } = observed
  if (justEnded) ctx.holdNothing.delete(row.id)
  if (ctx.holdNothing.has(row.id)) return
  try {
    await detach(ctx, row, run, place)
  } catch (error) {
    await write(ctx, row, run, observed, 'instance.ended')
    throw run.operations.length > 0 ? error : stillHeld(error)
  }
  ctx.holdNothing.add(row.id)
}

async function endedBy(ctx: InstanceContext, observed: Observed) {
  const end = await endOf(ctx, observed)
  return { at: 'ended', failed: isFailure(end.reason), ...end } as const
}

async function endOf(ctx: InstanceContext, { status: { lastExit }, place }: Observed): Promise<Ended> {
  return { reason: lastExit?.reason ?? '', message: lastExit?.message ?? '', console: await consoleTail(ctx, place) }
}

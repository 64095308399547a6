import {
  afterCommit,
  AnyOf,
  type Database,
  type Executor,
  Expression,
  noteOperations,
  now,
  type OperationRow,
  type StageTimes,
  type Tx,
} from '@berth/db'
import { type BerthError, toStatus } from '@berth/errors'
import type { Events } from '@berth/events'
import { createProgress, type Progress } from './progress.ts'

const startedNow = new Expression('coalesce(start_time, now())')
const underWay = new AnyOf('PENDING', 'RUNNING')
const oneMore = new Expression('attempts + 1')

export type EndState = 'DONE' | 'FAILED' | 'CANCELLED'

export type Operations = AsyncDisposable & {
  readonly db: Database
  readonly events: Events
  /** Open operations of a resource, oldest first. */
  openFor(resourceId: string): Promise<OperationRow[]>
  /** Marks an operation as begun, in the caller's transaction: RUNNING, one attempt more. */
  begin(tx: Tx, id: string): Promise<void>
  /** Notes how far an operation is. At most two writes a second for each, counted under `progress`; never waited for, never fails the caller. */
  progress(id: string, progress: Progress): void
  /** Notes the places of all who wait, in one transaction: they are distinct at any moment. */
  positions(places: ReadonlyMap<string, number>): void
  /** Ends an operation in the caller's transaction. An operation that has ended stays as it is. `error` goes with FAILED and CANCELLED. */
  finish(tx: Tx, id: string, state: EndState, error?: unknown): Promise<void>
  /** Ends all open operations of a resource: those of `states` by kind, the others CANCELLED with `otherwise`. */
  finishAll(tx: Tx, resourceId: string, states: Record<string, EndState>, otherwise: BerthError): Promise<void>
  /** Writes what progress is still waiting. */
  flush(): Promise<void>
}

/** The operations of one service. */
export function createOperations({ db, events }: { db: Database; events: Events }): Operations {
  const { operations } = db.rows
  const progress = createProgress(db)

  async function finish(tx: Tx, id: string, state: EndState, error?: unknown): Promise<void> {
    const [row] = await operations.select(tx, { id }, { lock: 'update' })
    if (row === undefined || row.endTime !== null) return
    const stages = closed(progress.stagesOf(id, row.stages), new Date().toISOString())
    const set = { state, error: error === undefined ? null : toStatus(error), stages, endTime: now, startTime: startedNow }
    noteOperations(tx, await operations.update(tx, set, { id }), 'updated')
    afterCommit(tx, () => progress.forget(id))
  }

  const openOf = (executor: Executor, resourceId: string) => operations.select(executor, { resourceId, endTime: null }, { orderBy: 'id' })

  return {
    db,
    events,
    finish,
    progress: progress.note,
    positions: progress.positions,
    flush: progress.flush,
    openFor: (resourceId) => db.read((queries) => openOf(queries, resourceId)),
    async begin(tx, id) {
      const set = { state: 'RUNNING', attempts: oneMore, startTime: startedNow }
      noteOperations(tx, await operations.update(tx, set, { id, state: underWay }), 'updated')
    },
    async finishAll(tx, resourceId, states, otherwise) {
      for (const { id, kind } of await openOf(tx, resourceId)) {
        const state = states[kind] ?? 'CANCELLED'
        await finish(tx, id, state, state === 'DONE' ? undefined : otherwise)
      }
    },
    [Symbol.asyncDispose]: () => progress.flush(),
  }
}

function closed(stages: StageTimes[], now: string): StageTimes[] {
  return stages.map((stage) => (stage.end === undefined ? { ...stage, end: now } : stage))
}

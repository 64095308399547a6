import { type Database, noteOperations, type StageTimes, together, type Tx } from '@berth/db'

export type Progress = {
  /** UPPER_SNAKE_CASE, e.g. `PULL`. */
  stage: string
  done?: number
  /** 0 or unset: unknown. */
  total?: number
  /** `bytes`, `steps` or `position`. */
  unit?: string
}

const writeEveryMs = 500
/** What is over before this has no need of being told: the create of a cached image mostly writes no progress. */
const writeAfterMs = 200

type Waiting = { latest: Progress; stages: StageTimes[] }

/** What has been said of operations and is not written yet. Stages keep their real times, however late they are written. */
export function createProgress(db: Database) {
  const { operations } = db.rows
  const waiting = new Map<string, Waiting>()
  /** Batches whose writes have not ended, oldest first. */
  const unwritten = new Set<ReadonlyMap<string, Waiting>>()
  let timer: NodeJS.Timeout | undefined
  let lastMs = Number.NEGATIVE_INFINITY
  let writing: Promise<void> = Promise.resolve()

  function note(id: string, progress: Progress): void {
    const now = new Date().toISOString()
    const known = waiting.get(id)
    const stages = known?.stages ?? []
    if (stages.at(-1)?.stage !== progress.stage) stages.push({ stage: progress.stage, start: now })
    waiting.set(id, { latest: progress, stages })
    timer ??= setTimeout(() => void flush(), Math.max(writeAfterMs, lastMs + writeEveryMs - performance.now()))
  }

  function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    if (waiting.size === 0) return writing
    lastMs = performance.now()
    const batch = new Map(waiting)
    waiting.clear()
    unwritten.add(batch)
    writing = writing
      .then(() => db.transaction('progress', (tx) => write(tx, batch)))
      .catch(() => {})
      .then(() => void unwritten.delete(batch))
    return writing
  }

  async function write(tx: Tx, batch: Map<string, Waiting>): Promise<void> {
    // Locked in order, and sent together: nobody waits long for a row that is one of many.
    const ids = [...batch.keys()].toSorted()
    const found = (await together(ids.map((id) => operations.select(tx, { id }, { lock: 'update' })))).flat()
    const changed = found
      .filter(({ endTime }) => endTime === null)
      .map(({ id, stages }) => {
        const { latest, stages: added } = batch.get(id) as Waiting
        const { stage, done = 0, total = 0, unit = '' } = latest
        return operations.update(tx, { stage, done, total, unit, stages: merged(stages, added) }, { id })
      })
    noteOperations(tx, (await together(changed)).flat(), 'updated')
  }

  return {
    note,
    flush,
    /** All who wait at once: one flush writes them in one transaction. */
    positions(places: ReadonlyMap<string, number>): void {
      for (const [id, position] of places)
        note(id, position > 0 ? { stage: 'QUEUED', done: position, unit: 'position' } : { stage: 'ADMITTED' })
    },
    /** What is not written yet of an operation, or is being written, merged with what is stored. */
    stagesOf(id: string, stored: StageTimes[]): StageTimes[] {
      return [...unwritten, waiting].reduce((stages, batch) => merged(stages, batch.get(id)?.stages ?? []), stored)
    },
    /** What waits for an operation that has ended is not written any more. */
    forget: (id: string): void => void waiting.delete(id),
  }
}

/** The end of a stage is the start of the next. A stage that goes on from an earlier write, or is stored already, is one stage. */
function merged(stored: StageTimes[], added: StageTimes[]): StageTimes[] {
  const all = [...stored]
  for (const next of added) {
    const last = all.at(-1)
    if (last?.stage === next.stage && last.end === undefined) continue
    if (all.some(({ stage, start }) => stage === next.stage && start === next.start)) continue
    if (last && last.end === undefined) all[all.length - 1] = { ...last, end: next.start }
    all.push({ ...next })
  }
  return all
}

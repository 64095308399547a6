import type { Database } from '@berth/db'
import { outOfRange } from '@berth/errors'
import { and, eq, inArray, sql } from 'drizzle-orm'
import { decodeRow, type Sequenced } from './envelope.ts'
import type { Position } from './token.ts'
import { settleOnce, type Wakes } from './wakes.ts'

/** Rows read at a time: what a slow reader can make this process hold. */
const batch = 256
const pollMs = 2_000
const bookmarkMs = 15_000

export type Selection = {
  project: string
  /** Empty: all kinds. */
  kinds?: readonly string[]
  resourceId?: string
}

export type FollowOptions = { db: Database; wakes: Wakes; selection: Selection; from: Position; follow: boolean; signal: AbortSignal }
export type Followed = { row: Sequenced | undefined; position: Position }

/**
 * Events after a position, in order, from Postgres; wakes only make it look sooner. A row of undefined is a bookmark: one when it has first
 * caught up, then one every 15 s of silence. Ends when it has caught up unless `follow`.
 *
 * @throws OutOfRange(`TOKEN_EXPIRED`) when events after the position are no longer kept, and the signal's reason
 */
export async function* follow({ db, wakes, selection, from, follow: goOn, signal }: FollowOptions): AsyncGenerator<Followed> {
  let seq = from.seq
  const reflected = new Set(from.reflected)
  const position = () => ({ seq, reflected: [...reflected] })
  const bell = createBell(wakes)
  try {
    for (let lastWordMs = 0, caughtUp = false; ; ) {
      signal.throwIfAborted()
      bell.reset()
      const page = await read(db, selection, seq)
      if (seq < page.floor || seq > page.last) throw outOfRange('TOKEN_EXPIRED', 'events after this token are no longer kept: begin again')
      for (const row of page.rows) {
        seq = row.seq
        if (reflected.delete(row.id)) continue
        lastWordMs = performance.now()
        yield { row, position: position() }
        signal.throwIfAborted()
      }
      if (page.rows.length === batch) continue
      seq = page.last
      if (!caughtUp || performance.now() - lastWordMs > bookmarkMs) {
        caughtUp = true
        lastWordMs = performance.now()
        yield { row: undefined, position: position() }
      }
      if (!goOn) return
      await bell.rung(signal)
    }
  } finally {
    bell.end()
  }
}

/** A bell that does not miss a ring between the look and the wait. */
function createBell(wakes: Wakes) {
  let rang = false
  let ring = () => {}
  const hear = () => {
    rang = true
    ring()
  }
  const ends = [wakes.onSequenced(hear), wakes.poll(pollMs, hear)]
  return {
    reset: () => void (rang = false),
    rung: async (signal: AbortSignal) => {
      if (rang) return
      await settleOnce(signal, bookmarkMs, (done) => {
        ring = done
        return () => void (ring = () => {})
      })
    },
    end: () => {
      for (const end of ends) end()
    },
  }
}

type Page = { last: number; floor: number; rows: Sequenced[] }
type Joined = { last: string; floor: string; row: Record<string, unknown> | null }

/** One statement, so one moment: places become visible in order, hence everything up to `last` is in `rows` or not selected. */
async function read(db: Database, selection: Selection, after: number): Promise<Page> {
  const { outbox, relay } = db.tables
  const { project, kinds = [], resourceId } = selection
  const where = and(
    sql`${outbox.seq} > ${after}`,
    eq(outbox.project, project),
    kinds.length > 0 ? inArray(outbox.kind, [...kinds]) : undefined,
    resourceId ? eq(outbox.resourceId, resourceId) : undefined,
  )
  const found = await db.read((queries) =>
    queries.execute<Joined>(sql`
      select r.last_seq as last, r.floor_seq as floor, to_jsonb(o) as row
      from ${relay} r left join lateral (select * from ${outbox} where ${where} order by seq limit ${batch}) o on true order by o.seq`),
  )
  const rows = [...found].flatMap(({ row }) => (row === null ? [] : [decodeRow(row)]))
  return { last: Number(found[0]?.last), floor: Number(found[0]?.floor), rows }
}

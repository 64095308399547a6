import type { Database } from '@berth/db'
import type { Events } from '@berth/events'
import type { Logger } from '@berth/telemetry'
import { sql } from 'drizzle-orm'

const sweepEveryMs = 3_600_000
/** Rows removed in one transaction. */
const batch = 5_000

/** Removes what is kept long enough: operations 7 days after their end, events 7 days, request ids 24 hours. Answers how many rows went. */
export async function sweep(db: Database): Promise<{ operations: number; events: number; requestIds: number }> {
  const { operations, requestIds } = db.tables
  return {
    operations: await remove(
      db,
      () => sql`delete from ${operations} where id in
      (select id from ${operations} where end_time < now() - interval '7 days' order by id limit ${batch})`,
    ),
    events: await sweepEvents(db),
    requestIds: await remove(
      db,
      () => sql`delete from ${requestIds} where ctid in
      (select ctid from ${requestIds} where create_time < now() - interval '24 hours' limit ${batch})`,
    ),
  }
}

async function remove(db: Database, statement: () => ReturnType<typeof sql>): Promise<number> {
  for (let total = 0; ; ) {
    const { count } = await db.transaction('retention', (tx) => tx.execute(statement()))
    total += count
    if (count < batch) return total
  }
}

/** Oldest places first, and the floor goes up with them: a watch that is further back is told, never given a gap. */
async function sweepEvents(db: Database): Promise<number> {
  const { outbox, relay } = db.tables
  for (let total = 0; ; ) {
    const count = await db.transaction('retention', async (tx) => {
      await tx.select().from(relay).for('update')
      const [row] = await tx.execute<{ upto: string | null }>(sql`
        select max(seq) as upto from (select seq from ${outbox} where seq_time < now() - interval '7 days' order by seq limit ${batch}) old`)
      const upTo = row?.upto ?? null
      if (upTo === null) return 0
      await tx.update(relay).set({ floorSeq: sql`greatest(floor_seq, ${upTo}::bigint)` })
      return (await tx.execute(sql`delete from ${outbox} where seq <= ${upTo}::bigint`)).count
    })
    total += count
    if (count < batch) return total
  }
}

/** Sweeps about every hour until disposed. */
export function startRetention({ db, events, logger }: { db: Database; events: Events; logger: Logger }): AsyncDisposable {
  let sweeping: Promise<unknown> = Promise.resolve()
  const stop = events.wakes.poll(sweepEveryMs, () => {
    sweeping = sweep(db).catch((error: unknown) => logger.warn({ err: error }, 'the sweep failed; the next one will do it'))
  })
  return {
    async [Symbol.asyncDispose]() {
      stop()
      await sweeping
    },
  }
}

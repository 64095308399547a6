import type { Database } from '@berth/db'
import { and, eq, gte, sql } from 'drizzle-orm'

export type LeaseKey = { service: string; hostId: string }

/** What of the lease row a holder remembers. */
export type Held = { epoch: number; heartbeat: Date }

/**
 * Raises the epoch above that of the row and above `floor`: from its commit on, nothing is written under an older one. Waits for transactions that
 * are being written under it.
 *
 * @param values.floor the highest epoch this host knows of; a database that was restored from a copy has forgotten it
 */
export async function raiseEpoch(
  db: Database,
  key: LeaseKey,
  { bootId, address, floor }: { bootId: string; address: string; floor: number },
): Promise<Held> {
  const { leases } = db.tables
  return db.transaction('lease', async (tx) => {
    const [row] = await tx.select().from(leases).where(whereKey(db, key)).for('update')
    const epoch = Math.max(row?.epoch ?? 0, floor) + 1
    const values = { ...key, bootId, address, epoch, heartbeat: sql`now()` }
    const heartbeat = { heartbeat: leases.heartbeat }
    const [written] =
      row === undefined
        ? await tx.insert(leases).values(values).returning(heartbeat)
        : await tx.update(leases).set(values).where(whereKey(db, key)).returning(heartbeat)
    return { epoch, heartbeat: written?.heartbeat ?? new Date(0) }
  })
}

/**
 * Says that the holder of this epoch lives. Answers the new heartbeat; undefined when it holds nothing any more, which is so too when the row has
 * an older heartbeat than the last one: the database has gone back to an earlier state. Where the database is slow one beat may begin before another
 * and be written after it: it leaves the later time.
 */
export async function beat(db: Database, key: LeaseKey, { epoch, heartbeat }: Held): Promise<Date | undefined> {
  const { leases } = db.tables
  const where = and(whereKey(db, key), eq(leases.epoch, epoch), gte(leases.heartbeat, heartbeat))
  const rows = await db.transaction('lease', (tx) =>
    tx
      .update(leases)
      .set({ heartbeat: sql`greatest(${leases.heartbeat}, now())` })
      .where(where)
      .returning({ heartbeat: leases.heartbeat }),
  )
  return rows[0]?.heartbeat
}

/** Milliseconds since the last heartbeat by the database's clock; undefined when there never was one. */
export async function heartbeatAgeMs(db: Database, key: LeaseKey): Promise<number | undefined> {
  const { leases } = db.tables
  const age = sql<string>`extract(epoch from now() - ${leases.heartbeat}) * 1000`
  const [row] = await db.read((queries) => queries.select({ age }).from(leases).where(whereKey(db, key)))
  return row === undefined ? undefined : Number(row.age)
}

function whereKey(db: Database, { service, hostId }: LeaseKey) {
  const { leases } = db.tables
  return and(eq(leases.service, service), eq(leases.hostId, hostId))
}

import type { Database } from '@berth/db'
import { and, eq, sql } from 'drizzle-orm'

export type LeaseKey = { service: string; hostId: string }

/** Raises the epoch: from its commit on, nothing is written under an older one. Waits for transactions that are being written under it. */
export async function raiseEpoch(db: Database, key: LeaseKey, { bootId, address }: { bootId: string; address: string }): Promise<number> {
  const { leases } = db.tables
  return db.transaction('lease', async (tx) => {
    const [row] = await tx.select().from(leases).where(whereKey(db, key)).for('update')
    const epoch = (row?.epoch ?? 0) + 1
    const values = { ...key, bootId, address, epoch, heartbeat: sql`now()` }
    if (row === undefined) await tx.insert(leases).values(values)
    else await tx.update(leases).set(values).where(whereKey(db, key))
    return epoch
  })
}

/** Says that the holder of this epoch lives; false when it holds nothing any more. */
export async function beat(db: Database, key: LeaseKey, epoch: number): Promise<boolean> {
  const { leases } = db.tables
  const where = and(whereKey(db, key), eq(leases.epoch, epoch))
  const rows = await db.transaction('lease', (tx) =>
    tx.update(leases).set({ heartbeat: sql`now()` }).where(where).returning({ epoch: leases.epoch }),
  )
  return rows.length > 0
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

import { bindCluster, clusterOf, codeOf, type Database } from '@berth/db'
import { and, eq } from 'drizzle-orm'
import type { Lease } from '../host/hold.ts'

/** What says whether rows and host belong together. */
export type Ownership = { db: Database; dataDir: string; lease: Lease }

/** SQLSTATE of a table that is not there. */
const noSuchTable = '42P01'

/**
 * Makes sure that the rows are those of this host's database and that this process holds the host: before either is taken for the other's measure.
 *
 * @throws FailedPrecondition(`FOREIGN_DATABASE`) at another or an empty database, Aborted(`LEASE_LOST`), Unavailable
 */
export async function ownDatabase({ db, dataDir, lease }: Ownership): Promise<void> {
  lease.signal.throwIfAborted()
  const cluster = await clusterOf(db).catch((error: unknown) => {
    if (codeOf(error) === noSuchTable) return ''
    throw error
  })
  await bindCluster(dataDir, cluster)
  const { leases } = db.tables
  const where = and(eq(leases.service, lease.service), eq(leases.hostId, lease.hostId), eq(leases.epoch, lease.epoch))
  const rows = await db.read((queries) => queries.select({ epoch: leases.epoch }).from(leases).where(where))
  if (rows.length > 0) return
  lease.lose()
  lease.signal.throwIfAborted()
}

import { aborted } from '@berth/errors'
import { databaseOf, type Tx } from '../database.ts'

/** A host's hold on its rows, as `@berth/controller` gives it. */
export type Fence = {
  service: string
  hostId: string
  epoch: number
  /** Told once when another process has taken the host over. */
  lose(): void
}

/**
 * Makes sure that this process still holds the host until the transaction ends: locks the lease row `for key share`, which a heartbeat
 * passes and a successor's `for update` waits for.
 *
 * @throws Aborted(`LEASE_LOST`): nothing of the transaction is kept and the service is told to exit
 */
export async function fence(tx: Tx, lease: Fence): Promise<void> {
  const { service, hostId } = lease
  const [row] = await databaseOf(tx).rows.leases.select(tx, { service, hostId }, { lock: 'key share' })
  if (row?.epoch === lease.epoch) return
  lease.lose()
  throw aborted('LEASE_LOST', `another process has taken over ${lease.service} on this host`)
}

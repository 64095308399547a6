import { create } from '@bufbuild/protobuf'
import { type Fence, fence, isUniqueViolation, newId, together, type Tx } from '@berth/db'
import { resourceExhausted } from '@berth/errors'
import { ConditionStatus, OwnerSchema } from '@berth/proto/berth/common/v1/resource_pb.ts'
import { PortSpecSchema, PortStatusSchema } from '@berth/proto/berth/network/v1/network_pb.ts'
import { sql } from 'drizzle-orm'
import { addressAt, parseCidr, size } from '../domain/cidr.ts'
import { conditionOf } from '../domain/condition.ts'
import type { PortConfig } from '../domain/host-network.ts'
import { type HostNames, macAddress, type RandomBytes, tapName } from '../domain/names.ts'
import type { Owner } from '../domain/owner.ts'
import type { PortWish } from '../domain/work.ts'
import type { PortRow, Stores } from './stores.ts'
import { networkHostRows } from './network-hosts.ts'
import { type NetworkHostRow, ports } from './tables.ts'

/** The owner's port; undefined when it has none. */
export async function findPort({ ports: store }: Stores, { kind, id, slot }: Owner): Promise<PortRow | undefined> {
  return store.byColumns({ ownerKind: kind, ownerId: id, ownerSlot: slot })
}

/**
 * Records a port with everything it will be called by, before anything of it is made.
 *
 * @throws ResourceExhausted(`NO_FREE_ADDRESS`)
 */
export async function insertPort(
  stores: Stores,
  lease: Fence,
  place: NetworkHostRow,
  wish: PortWish,
  names: HostNames,
  random: RandomBytes,
): Promise<PortRow> {
  for (;;) {
    try {
      return await stores.db.transaction('network.port.record', async (tx) => {
        const [, number] = await together([fence(tx, lease), lowestFree(tx, place)])
        return insert(tx, stores, place, wish, names, random, number)
      })
    } catch (error) {
      // A random name or address was taken already: take another.
      if (!isUniqueViolation(error, 'ports_mac_key') && !isUniqueViolation(error, 'ports_tap_key')) throw error
    }
  }
}

async function insert(
  tx: Tx,
  { ports: store }: Stores,
  place: NetworkHostRow,
  wish: PortWish,
  names: HostNames,
  random: RandomBytes,
  number: number,
): Promise<PortRow> {
  const { project, owner, actor, uid, up, hostname } = wish
  const extra = {
    networkId: place.networkId,
    ownerKind: owner.kind,
    ownerId: owner.id,
    ownerSlot: owner.slot,
    addressNumber: number,
    ipv4: addressAt(parseCidr(place.ipv4Subnet), BigInt(number)),
    ipv6: addressAt(parseCidr(place.ipv6Subnet), BigInt(number)),
    mac: macAddress(random),
    tap: tapName(names, random),
    uid,
    wantUp: up,
    hostname,
  }
  const id = newId('prt')
  return store.insert(tx, {
    id,
    project,
    name: `${owner.slot}-${owner.id.split('_').at(-1) ?? id}`,
    spec: create(PortSpecSchema, { networkId: place.networkId, owner: create(OwnerSchema, owner) }),
    status: create(PortStatusSchema, { tap: extra.tap, macAddress: extra.mac, ipv4Address: extra.ipv4, ipv6Address: extra.ipv6 }),
    host: names.host,
    creator: actor,
    extra,
  })
}

/** The lowest number of the subnet that no port has: 0 is the subnet itself, 1 the gateway, the last one broadcast. */
async function lowestFree(tx: Tx, { networkId, host, ipv4Subnet }: NetworkHostRow): Promise<number> {
  const last = Number(size(parseCidr(ipv4Subnet))) - 2
  // The second is not sent before the first, and so looks when it has the lock.
  const locked = networkHostRows.select(tx, { networkId, host }, { lock: 'update' })
  const found = tx.execute<{ number: string }>(sql`
    select coalesce(min(place) filter (where address_number <> place), count(*) + 2) as number
    from (select address_number, row_number() over (order by address_number) + 1 as place
      from ${ports} where network_id = ${networkId} and host = ${host}) as taken`)
  const [, [row]] = await together([locked, found])
  const number = Number(row?.number)
  if (number <= last) return number
  throw resourceExhausted('NO_FREE_ADDRESS', `no address is left in ${ipv4Subnet}`, { metadata: { subnet: ipv4Subnet } })
}

/** Changes what is wanted of a port; the row as it is then. Undefined when it is gone. */
export async function changePort(
  { db, ports: store }: Stores,
  lease: Fence,
  id: string,
  actor: string,
  extra: Partial<PortRow['extra']>,
): Promise<PortRow | undefined> {
  return db.transaction('network.port.want', async (tx) => {
    await fence(tx, lease)
    const row = await store.lockById(tx, id)
    return row && store.updateSpec(tx, row, { actor, extra })
  })
}

/** What is so: `failure` empty means ready. `wantUp`, where given, is written down as wanted too. */
export type PortState = { failure: string; up: boolean; wantUp?: boolean }

const statusPurpose = 'network.port.status'

/** Writes what is so, as one statement when the row is still as it is given; the row as it is then, undefined when it is gone. */
export async function setPortState(
  { db, ports: store }: Stores,
  lease: Fence,
  row: PortRow,
  state: PortState,
): Promise<PortRow | undefined> {
  const { status, extra } = changeOf(row, state)
  const written = await store.writeStatus(statusPurpose, lease, row, status, extra)
  if (written) return written
  return db.transaction(statusPurpose, async (tx) => {
    const locked = await store.lockById(tx, row.id)
    if (!locked) return undefined
    const change = changeOf(locked, state)
    return store.updateStatus(tx, lease, locked, change.status, change.extra)
  })
}

function changeOf(
  row: PortRow,
  { failure, up, wantUp }: PortState,
): { status: PortRow['status']; extra?: Pick<PortRow['extra'], 'wantUp'> } {
  const generation = BigInt(row.generation)
  const ready = conditionOf(row.status.conditions, {
    type: 'Ready',
    status: failure === '' ? ConditionStatus.TRUE : ConditionStatus.FALSE,
    reason: failure === '' ? 'READY' : 'HOST_FAILED',
    message: failure,
    observedGeneration: generation,
  })
  const status = create(PortStatusSchema, { ...row.status, up, conditions: [ready], observedGeneration: generation })
  return wantUp === undefined || wantUp === row.extra.wantUp ? { status } : { status, extra: { wantUp } }
}

/** Notes that the port is to go, before anything of it is taken away. */
export async function markPort({ db, ports: store }: Stores, lease: Fence, id: string, actor: string): Promise<void> {
  await db.transaction('network.port.delete', async (tx) => {
    await fence(tx, lease)
    const row = await store.lockById(tx, id)
    if (row) await store.markDeleted(tx, row, actor)
  })
}

/** Removes the row, and with it frees the addresses; the tap must be gone. */
export async function removePort({ db, ports: store }: Stores, lease: Fence, row: PortRow): Promise<void> {
  await db.transaction('network.port.remove', (tx) => store.remove(tx, lease, row))
}

/** Whether the last work on the port ended well. */
export function isReady({ status }: PortRow): boolean {
  return status.conditions.some(({ type, reason }) => type === 'Ready' && reason === 'READY')
}

/** The row as the host's networking wants it. */
export function portConfigOf({ id, extra }: PortRow, bridge: string): PortConfig {
  const { tap, mac, ipv4, ipv6, uid, wantUp } = extra
  return { portId: id, bridge, tap, mac, ipv4, ipv6, uid, up: wantUp }
}

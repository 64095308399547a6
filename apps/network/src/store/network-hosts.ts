import { create } from '@bufbuild/protobuf'
import { type Fence, isUniqueViolation, rowsOf, type Tx } from '@berth/db'
import { ConditionStatus } from '@berth/proto/berth/common/v1/resource_pb.ts'
import { NetworkOnHostSchema, NetworkStatusSchema } from '@berth/proto/berth/network/v1/network_pb.ts'
import { and, eq, or } from 'drizzle-orm'
import { addressAt, parseCidr } from '../domain/cidr.ts'
import { chooseSubnet } from '../domain/choose-subnet.ts'
import { conditionOf } from '../domain/condition.ts'
import { type AcceptRule, type BridgeConfig, ipv6Gateway } from '../domain/host-network.ts'
import { bridgeName, type HostNames, macAddress, type RandomBytes } from '../domain/names.ts'
import type { NetworkRow, Stores } from './stores.ts'
import { type NetworkHostRow, networkHosts } from './tables.ts'

/** Ranges to take a subnet from when routes of the host cover the network's whole range. */
const fallbacks = ['10.95.0.0/16', '172.30.0.0/16', '192.168.192.0/18', '100.94.0.0/16']

export const networkHostRows = rowsOf(networkHosts)

export type Allot = { network: NetworkRow; names: HostNames; routes: string[]; random: RandomBytes }

/** The network on a host; undefined when it has no place there yet. */
export async function findNetworkHost({ db }: Stores, networkId: string, host: string): Promise<NetworkHostRow | undefined> {
  const [row] = await db.read((queries) => networkHostRows.select(queries, { networkId, host }))
  return row
}

/** All networks on a host, by bridge. */
export async function networksOnHost({ db }: Stores, host: string): Promise<NetworkHostRow[]> {
  return db.read((queries) => queries.select().from(networkHosts).where(eq(networkHosts.host, host)).orderBy(networkHosts.bridge))
}

/**
 * Gives the network bridge and subnets on this host, recorded before anything is made.
 *
 * @throws ResourceExhausted(`NO_FREE_SUBNET`)
 */
export async function allotNetworkHost(stores: Stores, allot: Allot): Promise<NetworkHostRow> {
  for (;;) {
    try {
      return await stores.db.transaction('network.allot', (tx) => insertNetworkHost(tx, stores, allot))
    } catch (error) {
      // Another host of the network was faster, or a random name was taken: look again.
      const keys = ['bridge', 'ipv4', 'host_ipv4', 'ipv6'].map((key) => `network_hosts_${key}_key`)
      if (!keys.some((key) => isUniqueViolation(error, key))) throw error
    }
  }
}

async function insertNetworkHost(tx: Tx, stores: Stores, { network, names, routes, random }: Allot): Promise<NetworkHostRow> {
  const { host } = names
  await stores.networks.lockById(tx, network.id)
  const rows = await tx
    .select()
    .from(networkHosts)
    .where(or(eq(networkHosts.networkId, network.id), eq(networkHosts.host, host)))
  const found = rows.find((row) => row.networkId === network.id && row.host === host)
  if (found) return found
  const ipv4 = chooseSubnet({
    range: network.spec.ipv4Range,
    length: 24,
    taken: rows.map(({ ipv4Subnet }) => ipv4Subnet),
    routes,
    fallbacks,
  })
  const ipv6 = chooseSubnet({ range: network.spec.ipv6Range, length: 64, taken: rows.map(({ ipv6Subnet }) => ipv6Subnet), routes })
  const values = {
    networkId: network.id,
    host,
    bridge: bridgeName(names, random),
    mac: macAddress(random),
    ipv4Subnet: ipv4.subnet,
    ipv4Gateway: addressAt(parseCidr(ipv4.subnet), 1n),
    ipv6Subnet: ipv6.subnet,
    choiceReason: [ipv4.reason, ipv6.reason].filter(Boolean).join('; '),
  }
  const [row] = await tx.insert(networkHosts).values(values).returning()
  if (!row) throw new Error('the insert gave no row')
  return row
}

/** What is so on this host: `message` empty means ready. Written only when it differs. */
export type HostState = { message: string; accepts: AcceptRule[] }

/** Writes the state of a network on this host and with it the network's own status. */
export async function setNetworkHostState(stores: Stores, lease: Fence, row: NetworkHostRow, state: HostState): Promise<void> {
  const same =
    row.ready === (state.message === '') && row.message === state.message && JSON.stringify(row.accepts) === JSON.stringify(state.accepts)
  if (same) return
  await stores.db.transaction('network.status', async (tx) => {
    const network = await stores.networks.lockById(tx, row.networkId)
    if (!network) return
    const at = and(eq(networkHosts.networkId, row.networkId), eq(networkHosts.host, row.host))
    await tx
      .update(networkHosts)
      .set({ ...state, ready: state.message === '' })
      .where(at)
    const all = await tx.select().from(networkHosts).where(eq(networkHosts.networkId, row.networkId)).orderBy(networkHosts.host)
    const broken = all.find(({ ready }) => !ready)
    const ready = conditionOf(network.status.conditions, {
      type: 'Ready',
      status: broken ? ConditionStatus.FALSE : ConditionStatus.TRUE,
      reason: broken ? 'HOST_NOT_READY' : 'READY',
      message: broken ? `${broken.host}: ${broken.message}` : '',
      observedGeneration: BigInt(network.generation),
    })
    const status = create(NetworkStatusSchema, {
      observedGeneration: BigInt(network.generation),
      conditions: [ready],
      hosts: all.map(onHostMessage),
    })
    await stores.networks.updateStatus(tx, lease, network, status)
  })
}

/** The row as the host's networking wants it. */
export function bridgeConfigOf({ networkId, bridge, mac, ipv4Subnet, ipv4Gateway, ipv6Subnet }: NetworkHostRow): BridgeConfig {
  return { networkId, bridge, mac, ipv4Subnet, ipv4Gateway, ipv6Subnet }
}

function onHostMessage({ host, bridge, ipv4Subnet, ipv4Gateway, ipv6Subnet, choiceReason, ready }: NetworkHostRow) {
  return create(NetworkOnHostSchema, { host, bridge, ipv4Subnet, ipv4Gateway, ipv6Subnet, ipv6Gateway, choiceReason, ready })
}

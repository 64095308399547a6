import type { Lease } from '@berth/controller'
import type { Logger } from '@berth/telemetry'
import type { DnsServer } from '../domain/dns-server.ts'
import type { Gate } from '../domain/gate.ts'
import type { HostConfig, HostNetwork } from '../domain/host-network.ts'
import type { HostNames, RandomBytes } from '../domain/names.ts'
import { keyOf } from '../domain/owner.ts'
import type { HostRecord } from '../domain/record.ts'
import { bridgeConfigOf, networksOnHost } from '../store/network-hosts.ts'
import { portConfigOf } from '../store/ports.ts'
import type { PortRow, Stores } from '../store/stores.ts'
import type { NetworkHostRow } from '../store/tables.ts'

/** What all work of this service needs. */
export type NetworkContext = {
  stores: Stores
  lease: Lease
  names: HostNames
  host: HostNetwork
  dns: DnsServer
  record: HostRecord
  gate: Gate
  random: RandomBytes
  logger: Logger
  /** Networks that this process has seen ready, so that a port needs no look at its bridge. The comparison takes out what is off. */
  known: Set<string>
  /** Resolvers for guests of a network without DNS of its own. */
  resolvers: () => Promise<string[]>
}

export type HostRows = { places: NetworkHostRow[]; ports: PortRow[]; wanted: PortRow[]; config: HostConfig }

/** Everything the database says of this host; ports that are to go, and those under a `busy` key, are left out of the config. */
export async function readHost({ stores, names }: NetworkContext, busy: ReadonlySet<string> = new Set()): Promise<HostRows> {
  const [places, ports] = await Promise.all([networksOnHost(stores, names.host), stores.ports.onHost(names.host)])
  const bridgeOf = new Map(places.map(({ networkId, bridge }) => [networkId, bridge]))
  const isBusy = ({ extra }: PortRow) => busy.has(keyOf({ kind: extra.ownerKind, id: extra.ownerId, slot: extra.ownerSlot }))
  const wanted = ports.filter((row) => row.deleteTime === null && !isBusy(row))
  const configs = wanted.map((row) => portConfigOf(row, bridgeOf.get(row.extra.networkId) ?? ''))
  return { places, ports, wanted, config: { names, bridges: places.map(bridgeConfigOf), ports: configs } }
}

import { resourceTable } from '@berth/db'
import { bigint, boolean, jsonb, pgSchema, primaryKey, text, unique } from 'drizzle-orm/pg-core'
import type { AcceptRule } from '../domain/host-network.ts'

const schema = pgSchema('network')

export const networks = resourceTable(schema, 'networks', {})

export const hostNames = schema.table('host_names', { host: text('host').primaryKey(), short: text('short').notNull() }, (table) => [
  unique('host_names_short_key').on(table.short),
])

export const networkHosts = schema.table(
  'network_hosts',
  {
    networkId: text('network_id').notNull(),
    host: text('host').notNull(),
    bridge: text('bridge').notNull(),
    mac: text('mac').notNull(),
    ipv4Subnet: text('ipv4_subnet').notNull(),
    ipv4Gateway: text('ipv4_gateway').notNull(),
    ipv6Subnet: text('ipv6_subnet').notNull(),
    choiceReason: text('choice_reason').notNull(),
    ready: boolean('ready').notNull().default(false),
    message: text('message').notNull().default(''),
    /** Our accept rules in others' chains. */
    accepts: jsonb('accepts').$type<AcceptRule[]>().notNull().default([]),
  },
  (table) => [
    primaryKey({ columns: [table.networkId, table.host] }),
    unique('network_hosts_bridge_key').on(table.bridge),
    unique('network_hosts_ipv4_key').on(table.networkId, table.ipv4Subnet),
    unique('network_hosts_host_ipv4_key').on(table.host, table.ipv4Subnet),
    unique('network_hosts_ipv6_key').on(table.ipv6Subnet),
  ],
)

export const ports = resourceTable(schema, 'ports', {
  networkId: text('network_id').notNull(),
  ownerKind: text('owner_kind').notNull(),
  ownerId: text('owner_id').notNull(),
  ownerSlot: text('owner_slot').notNull(),
  /** Place of both addresses within the host's subnets. */
  addressNumber: bigint('address_number', { mode: 'number' }).notNull(),
  ipv4: text('ipv4').notNull(),
  ipv6: text('ipv6').notNull(),
  mac: text('mac').notNull(),
  tap: text('tap').notNull(),
  uid: bigint('uid', { mode: 'number' }).notNull(),
  wantUp: boolean('want_up').notNull(),
  hostname: text('hostname').notNull(),
})

export type NetworkHostRow = typeof networkHosts.$inferSelect
export type PortColumns = Omit<typeof ports.$inferSelect, keyof typeof networks.$inferSelect>

/** For the comparison with the migrated database. */
export const tables = { networks, hostNames, networkHosts, ports }

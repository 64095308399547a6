import { type Instance, InstanceSchema } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type Database, moment, resourceStore, type ResourceStore, resourceTable, type Stored } from '@berth/db'
import type { ErrorStatus } from '@berth/errors'
import type { HypervisorFacts } from '../domain/ports.ts'
import { bigint, integer, jsonb, pgSchema, text } from 'drizzle-orm/pg-core'

const schema = pgSchema('instance')

export type HostFacts = { name: string; cpus: number; memoryBytes: number; hypervisors: HypervisorFacts[] }

export const instances = resourceTable(schema, 'instances', {
  uid: integer('uid').notNull().unique('instances_uid_key'),
  journalSeq: bigint('journal_seq', { mode: 'number' }).notNull().default(0),
  stopGraceMs: integer('stop_grace_ms').notNull().default(10_000),
  stopBegun: moment('stop_begun'),
  failure: jsonb('failure').$type<ErrorStatus>(),
})

/** What each host is, as its own service announced it. */
export const hosts = schema.table('hosts', {
  id: text('id').primaryKey(),
  facts: jsonb('facts').$type<HostFacts>().notNull(),
})

/** The table's own columns. */
export type InstanceExtra = {
  uid: number
  journalSeq: number
  stopGraceMs: number
  stopBegun: Date | null
  failure: ErrorStatus | null
}
export type InstanceRow = Stored<Instance, InstanceExtra>
export type InstanceStore = ResourceStore<Instance, InstanceExtra>

export function instanceStore(db: Database): InstanceStore {
  return resourceStore({
    ...{ db, table: instances, kind: 'instance', idPrefix: 'ins', schema: InstanceSchema },
    statusFilters: ['image_id'],
  }) as InstanceStore
}

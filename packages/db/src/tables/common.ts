import type { ErrorStatus } from '@berth/errors'
import { bigint, boolean, integer, jsonb, type PgSchema, primaryKey, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core'

export type JsonObject = { [key: string]: JsonValue }
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject

/** A moment, kept to the millisecond. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })
const now = (name: string) => moment(name).notNull().defaultNow()
const number = (name: string) => bigint(name, { mode: 'number' })

/** One stage of an operation; times in RFC 3339. */
export type StageTimes = { stage: string; start: string; end?: string }

/** The tables that every service has in its own schema, all alike. The SQL that makes them is in `migrate/common-sql.ts`. */
export function commonTables(schema: PgSchema) {
  const operations = schema.table('operations', {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    kind: text('kind').notNull(),
    resourceId: text('resource_id').notNull(),
    resourceName: text('resource_name').notNull(),
    actor: text('actor').notNull(),
    priority: text('priority').notNull().default('DEFAULT'),
    notBefore: moment('not_before'),
    state: text('state').notNull().default('PENDING'),
    stage: text('stage').notNull().default(''),
    done: number('done').notNull().default(0),
    total: number('total').notNull().default(0),
    unit: text('unit').notNull().default(''),
    stages: jsonb('stages').$type<StageTimes[]>().notNull().default([]),
    attempts: integer('attempts').notNull().default(0),
    error: jsonb('error').$type<ErrorStatus>(),
    host: text('host').notNull(),
    createTime: now('create_time'),
    startTime: moment('start_time'),
    endTime: moment('end_time'),
    cancelRequested: boolean('cancel_requested').notNull().default(false),
  })

  const outbox = schema.table(
    'outbox',
    {
      /** Order of writing; rows of one object are in the order of its commits because writers hold its row lock. */
      ord: number('ord').primaryKey().generatedAlwaysAsIdentity(),
      id: text('id').notNull(),
      seq: number('seq'),
      project: text('project').notNull(),
      kind: text('kind').notNull(),
      resourceId: text('resource_id').notNull(),
      verb: text('verb').notNull(),
      generation: number('generation').notNull(),
      actor: text('actor').notNull(),
      resource: jsonb('resource').$type<JsonObject>().notNull(),
      createTime: now('create_time'),
      seqTime: moment('seq_time'),
      publishTime: moment('publish_time'),
    },
    (table) => [uniqueIndex('outbox_id_key').on(table.id), uniqueIndex('outbox_seq_key').on(table.seq)],
  )

  const relay = schema.table('relay', {
    only: boolean('only').primaryKey().default(true),
    /** Highest seq given. */
    lastSeq: number('last_seq').notNull().default(0),
    /** Highest seq swept away: a token below it has lost events. */
    floorSeq: number('floor_seq').notNull().default(0),
  })

  const requestIds = schema.table(
    'request_ids',
    {
      project: text('project').notNull(),
      actor: text('actor').notNull(),
      method: text('method').notNull(),
      requestId: text('request_id').notNull(),
      bodyHash: text('body_hash').notNull(),
      resourceId: text('resource_id').notNull().default(''),
      operationId: text('operation_id').notNull().default(''),
      createTime: now('create_time'),
    },
    (table) => [primaryKey({ columns: [table.project, table.actor, table.method, table.requestId] })],
  )

  const leases = schema.table(
    'leases',
    {
      service: text('service').notNull(),
      hostId: text('host_id').notNull(),
      bootId: text('boot_id').notNull(),
      epoch: number('epoch').notNull(),
      address: text('address').notNull(),
      heartbeat: now('heartbeat'),
    },
    (table) => [primaryKey({ columns: [table.service, table.hostId] })],
  )

  const cluster = schema.table('cluster', {
    only: boolean('only').primaryKey().default(true),
    /** The same in all schemas of one database, another in every other database. */
    id: text('id').notNull(),
  })

  return { operations, outbox, relay, requestIds, leases, cluster }
}

export type CommonTables = ReturnType<typeof commonTables>
export type OperationRow = CommonTables['operations']['$inferSelect']
export type OutboxRow = CommonTables['outbox']['$inferSelect']
export type LeaseRow = CommonTables['leases']['$inferSelect']

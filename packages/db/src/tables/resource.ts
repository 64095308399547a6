import { bigint, jsonb, type PgColumnBuilderBase, type PgSchema, text, unique } from 'drizzle-orm/pg-core'
import { type JsonObject, moment } from './common.ts'

function resourceColumns() {
  return {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    name: text('name').notNull(),
    labels: jsonb('labels').$type<Record<string, string>>().notNull().default({}),
    annotations: jsonb('annotations').$type<Record<string, string>>().notNull().default({}),
    /** proto3 JSON of the Spec message. */
    spec: jsonb('spec').$type<JsonObject>().notNull(),
    /** proto3 JSON of the Status message. */
    status: jsonb('status').$type<JsonObject>().notNull(),
    generation: bigint('generation', { mode: 'number' }).notNull().default(1),
    observedGeneration: bigint('observed_generation', { mode: 'number' }).notNull().default(0),
    host: text('host').notNull(),
    createTime: moment('create_time').notNull().defaultNow(),
    updateTime: moment('update_time').notNull().defaultNow(),
    deleteTime: moment('delete_time'),
    creator: text('creator').notNull(),
  }
}

/**
 * The table of one kind of resource: the columns all kinds share, and its own. Names are unique in a project while the row lives.
 * The SQL in the service's migration says the same; `tableDifferences` compares both.
 */
export function resourceTable<Extra extends Record<string, PgColumnBuilderBase>>(schema: PgSchema, name: string, extra: Extra) {
  return schema.table(name, { ...resourceColumns(), ...extra }, (table) => [
    unique(`${name}_project_name_key`).on(table.project as never, table.name as never),
  ])
}

/** A resource table without columns of its own. */
export type ResourceTable = ReturnType<typeof resourceTable<Record<never, never>>>
export type ResourceRow = ResourceTable['$inferSelect']

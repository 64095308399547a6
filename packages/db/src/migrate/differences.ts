import { is, sql } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import type { Database } from '../database.ts'

type Column = { table: string; column: string; type: string; nullable: boolean }

/** What differs between drizzle's tables and the migrated schema, one line each; empty when they agree. `own` are the service's tables. */
export async function tableDifferences(db: Database, own: object): Promise<string[]> {
  const tables = [...Object.values(db.tables), ...Object.values(own)].filter((value): value is PgTable => is(value, PgTable))
  const wanted = tables.flatMap(columnsOf).map(text)
  const found = (await columnsIn(db)).map(text)
  return [
    ...wanted.filter((line) => !found.includes(line)).map((line) => `missing in the database: ${line}`),
    ...found.filter((line) => !wanted.includes(line)).map((line) => `missing in the code: ${line}`),
  ]
}

function columnsOf(table: PgTable): Column[] {
  const { name, columns, primaryKeys } = getTableConfig(table)
  const keys = new Set(primaryKeys.flatMap((key) => key.columns.map((column) => column.name)))
  return columns.map((column) => ({
    table: name,
    column: column.name,
    type: column.getSQLType().replace('timestamp (3)', 'timestamp(3)'),
    nullable: !(column.notNull || column.primary || keys.has(column.name)),
  }))
}

async function columnsIn(db: Database): Promise<Column[]> {
  const rows = await db.read((queries) =>
    queries.execute<{ table: string; column: string; type: string; nullable: boolean }>(sql`
      select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable
      from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ${db.service} and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped`),
  )
  return [...rows]
}

function text({ table, column, type, nullable }: Column): string {
  return `${table}.${column} ${type}${nullable ? '' : ' not null'}`
}

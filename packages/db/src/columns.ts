import { getTableColumns } from 'drizzle-orm'
import { getTableConfig, type PgColumn, type PgTable } from 'drizzle-orm/pg-core'

/** A table's names as text of SQL, and its values as the driver takes and gives them. */
export type Columns<T extends PgTable> = {
  /** With its schema, quoted. */
  readonly table: string
  /** All columns, in the order that `decode` knows. */
  readonly list: string
  /** The quoted name of the column that the code calls `key`. */
  nameOf(key: string): string
  encode(key: string, value: unknown): unknown
  decode(values: readonly unknown[]): T['$inferSelect']
}

export function columnsOf<T extends PgTable>(table: T): Columns<T> {
  const columns = getTableColumns(table) as Record<string, PgColumn>
  const keys = Object.keys(columns)
  const { schema, name } = getTableConfig(table)
  const columnOf = (key: string): PgColumn => {
    const column = columns[key]
    if (!column) throw new TypeError(`${name} has no column ${key}`)
    return column
  }
  return {
    table: schema ? `"${schema}"."${name}"` : `"${name}"`,
    list: keys.map((key) => `"${columnOf(key).name}"`).join(', '),
    nameOf: (key) => `"${columnOf(key).name}"`,
    encode: (key, value) => (value === null ? null : columnOf(key).mapToDriverValue(value)),
    decode(values) {
      const row: Record<string, unknown> = {}
      for (let index = 0; index < keys.length; index += 1) {
        const [key, value] = [keys[index] as string, values[index]]
        row[key] = value === null ? null : columnOf(key).mapFromDriverValue(value)
      }
      return row
    },
  }
}

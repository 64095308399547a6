import type { PgTable } from 'drizzle-orm/pg-core'
import { columnsOf } from './columns.ts'
import type { Executor } from './database.ts'

/** Texts with more rows than this are made anew: there is one for each number of rows. */
const mostKept = 8

/** What the database works out itself, as text of SQL. It is part of a statement's text, so it names no values. */
export class Expression {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** The time of the transaction. */
export const now = new Expression('now()')

/** Stands for any of a few values, always as many. */
export class AnyOf<V> {
  readonly values: readonly V[]
  constructor(...values: V[]) {
    this.values = values
  }
}

type Row<T extends PgTable> = T['$inferSelect']
export type Input<T extends PgTable> = { readonly [K in keyof Row<T>]?: Row<T>[K] | Expression | undefined }
export type Match<T extends PgTable> = { readonly [K in keyof Row<T>]?: Row<T>[K] | AnyOf<Row<T>[K]> }

export type SelectOptions<T extends PgTable> = {
  /** In rising order of this column. */
  orderBy?: keyof Row<T> & string
  /** Locks the rows until the transaction ends. */
  lock?: 'update' | 'share' | 'key share'
}

/**
 * The everyday statements on one table. drizzle builds the text of a statement anew each time, which costs more than the database takes for it; here
 * it is made once for each set of columns. A statement is sent when it is asked for, not when it is waited for, so that several may go out together.
 */
export type Rows<T extends PgTable> = {
  /** The rows that have exactly these values; null matches null. */
  select(executor: Executor, where: Match<T>, options?: SelectOptions<T>): Promise<Row<T>[]>
  /** Columns that are not set get their default. `orNothing`: no row when a unique index refuses it. */
  insert(executor: Executor, values: Input<T>, options?: { orNothing?: boolean }): Promise<Row<T>[]>
  /** Inserts rows that set the same columns. */
  insertAll(executor: Executor, values: readonly Input<T>[]): Promise<Row<T>[]>
  update(executor: Executor, set: Input<T>, where: Match<T>): Promise<Row<T>[]>
  remove(executor: Executor, where: Match<T>): Promise<Row<T>[]>
}

type Values = Readonly<Record<string, unknown>>
type Place = (value: unknown) => string

/** The everyday statements on a table. */
export function rowsOf<T extends PgTable>(of: T): Rows<T> {
  const { table, list, nameOf, encode, decode } = columnsOf(of)
  const texts = new Map<string, string>()

  function run(executor: Executor, shape: string, parts: readonly Values[], text: (place: Place) => string): Promise<Row<T>[]> {
    const sql = texts.get(shape) ?? text(numbered())
    if (parts.length <= mostKept) texts.set(shape, sql)
    const params = parts.flatMap((part) => Object.entries(part).flatMap(([key, value]) => given(value).map((one) => encode(key, one))))
    const query = executor._.session.prepareQuery({ sql, params }, undefined, undefined, true, (found) => found.map(decode))
    return query.execute() as Promise<Row<T>[]>
  }

  const matching = (where: Values, place: Place): string =>
    Object.entries(where)
      .map(([key, value]) => `${nameOf(key)} ${value === null ? 'is' : value instanceof AnyOf ? 'in' : '='} ${place(value)}`)
      .join(' and ')

  function insertAll(executor: Executor, values: readonly Input<T>[], tail = ''): Promise<Row<T>[]> {
    const keys = Object.keys(defined(values[0] ?? {}))
    const rows = values.map((row: Values) => Object.fromEntries(keys.map((key) => [key, row[key] ?? null])))
    return run(executor, `insert${tail} ${rows.map(shapeOf).join(';')}`, rows, (place) => {
      const tuples = rows.map((row) => `(${Object.values(row).map(place).join(', ')})`)
      return `insert into ${table} (${keys.map(nameOf).join(', ')}) values ${tuples.join(', ')}${tail} returning ${list}`
    })
  }

  return {
    insertAll,
    insert: (executor, values, { orNothing = false } = {}) => insertAll(executor, [values], orNothing ? ' on conflict do nothing' : ''),
    select(executor, where, { orderBy, lock } = {}) {
      const tail = `${orderBy ? ` order by ${nameOf(orderBy)}` : ''}${lock ? ` for ${lock}` : ''}`
      const text = (place: Place) => `select ${list} from ${table} where ${matching(where, place)}${tail}`
      return run(executor, `select${tail} ${shapeOf(where)}`, [where], text)
    },
    update(executor, values, where) {
      const set = defined(values)
      return run(executor, `update ${shapeOf(set)} where ${shapeOf(where)}`, [set, where], (place) => {
        const changes = Object.entries(set).map(([key, value]) => `${nameOf(key)} = ${place(value)}`)
        return `update ${table} set ${changes.join(', ')} where ${matching(where, place)} returning ${list}`
      })
    },
    remove(executor, where) {
      const text = (place: Place) => `delete from ${table} where ${matching(where, place)} returning ${list}`
      return run(executor, `delete ${shapeOf(where)}`, [where], text)
    },
  }
}

function defined(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

/** The values that go as parameters. */
function given(value: unknown): readonly unknown[] {
  if (value === null || value instanceof Expression) return []
  return value instanceof AnyOf ? value.values : [value]
}

/** Writes values into a text, parameters by number in the order of `given`. */
function numbered(): Place {
  let last = 0
  const place = (value: unknown): string => {
    if (value === null) return 'null'
    if (value instanceof Expression) return value.text
    if (value instanceof AnyOf) return `(${value.values.map(place).join(', ')})`
    return `$${(last += 1)}`
  }
  return place
}

/** Statements of one shape have one text. */
function shapeOf(values: Values): string {
  let shape = ''
  for (const key in values) {
    const value = values[key]
    const form = value === null ? 'null' : value instanceof Expression ? value.text : value instanceof AnyOf ? value.values.length : ''
    shape += `${key}=${form},`
  }
  return shape
}

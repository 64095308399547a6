import { unavailable } from '@berth/errors'
import { type SQL, sql } from 'drizzle-orm'
import { pgSchema } from 'drizzle-orm/pg-core'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { codeOf, isConflict, translate } from './failures.ts'
import { reach } from './points.ts'
import { type Rows, rowsOf } from './rows.ts'
import { steadyClient } from './steady-client.ts'
import { type CommonTables, commonTables } from './tables/common.ts'

export type Queries = PostgresJsDatabase
export type Tx = Parameters<Parameters<Queries['transaction']>[0]>[0]
/** Where a query runs: a transaction, or by itself. */
export type Executor = Queries | Tx

export type DatabaseOptions = {
  url: string
  /** Schema of the service and its name: `image`, `volume`, `network`, `device`, `instance` or `access`. */
  schema: string
  /** Connections for transactions at most, default 4; what runs by itself has two more. */
  pool?: number
  /** False behind a pooler that knows no named statements (`BERTH_DATABASE_PREPARE=off`); default true. */
  prepare?: boolean
}

/** What one committed transaction changed, for wakes. */
export type Change = {
  kind: string
  id: string
  project: string
  verb: string
  /** Resource that an operation works on. */
  parent?: string
  /** Of an operation: whether it has ended. */
  over?: boolean
  /** Id of its event. */
  event: string
}

export type TransactionCounts = Record<string, { committed: number; rolledBack: number; retried: number }>

type CommonRows = { readonly [K in 'operations' | 'outbox' | 'requestIds' | 'leases']: Rows<CommonTables[K]> }
type NewNotice = CommonTables['outbox']['$inferInsert']
type Pending = { database: Database; changes: Change[]; notices: NewNotice[]; after: (() => void)[]; call: boolean }
const pendingOf = new WeakMap<object, Pending>()

const attempts = 4

/** The one door to a service's schema. Connects when first used: a database that is down does not keep a service from starting. */
export class Database implements AsyncDisposable {
  readonly service: string
  readonly tables: CommonTables
  /** The everyday statements on the common tables. */
  readonly rows: CommonRows
  /** For reads; every write goes through `transaction`. */
  readonly queries: Queries
  readonly #client: ReturnType<typeof steadyClient>
  readonly #listeners = new Set<(changes: Change[]) => void>()
  readonly #counts: TransactionCounts = {}

  constructor({ url, schema, pool, prepare }: DatabaseOptions) {
    this.service = schema
    this.tables = commonTables(pgSchema(schema))
    this.rows = commonRows(this.tables)
    this.#client = steadyClient({ url, pool, prepare, name: `berth-${schema}` })
    this.queries = drizzle({ client: this.#client })
  }

  /**
   * Runs a writing transaction; counted under `purpose`. Serialization failures, deadlocks and lock timeouts are tried again three times,
   * so `run` has no effects but on `tx`; see `afterCommit`.
   *
   * @throws Unavailable(`DATABASE_UNAVAILABLE`), Aborted(`CONFLICT`) and whatever `run` throws, after the rollback
   */
  async transaction<T>(purpose: string, run: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#repeating(purpose, async (committed) => {
      const pending: Pending = { database: this, changes: [], notices: [], after: [], call: false }
      const result = await this.queries.transaction(async (tx) => {
        pendingOf.set(tx, pending)
        const answer = await run(tx)
        if (pending.notices.length > 0) await this.rows.outbox.insertAll(tx, pending.notices)
        if (pending.call) await reach('call.inside')
        return answer
      })
      committed()
      this.#announce(pending)
      if (pending.call) await reach('call.committed')
      return result
    })
  }

  /**
   * Runs one statement that writes at most one row and its notice, in a transaction of its own: a statement that is in flight when its process ends
   * would be committed without. Counted under `purpose`; told as `change` when it answered a row. Tried again as `transaction` is.
   *
   * @throws Unavailable(`DATABASE_UNAVAILABLE`), Aborted(`CONFLICT`)
   */
  async told<Row>(
    purpose: string,
    change: Change,
    statement: { sql: string; params: unknown[] },
    decode: (values: readonly unknown[]) => Row,
  ): Promise<Row | undefined> {
    return this.#repeating(purpose, async (committed) => {
      const [row] = await this.queries.transaction((tx) => {
        const query = tx._.session.prepareQuery(statement, undefined, undefined, true, (found) => found.map(decode))
        return query.execute() as Promise<Row[]>
      })
      committed()
      if (row !== undefined) this.#announce({ changes: [change], after: [] })
      return row
    })
  }

  async #repeating<T>(purpose: string, run: (committed: () => void) => Promise<T>): Promise<T> {
    const count = (this.#counts[purpose] ??= { committed: 0, rolledBack: 0, retried: 0 })
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run(() => void (count.committed += 1))
      } catch (error) {
        if (!isConflict(error) || attempt === attempts) {
          count.rolledBack += 1
          throw translate(error)
        }
        count.retried += 1
      }
    }
  }

  /**
   * Runs one writing statement, which is a transaction of its own: one round trip instead of three. Counted under `purpose` when it answered rows;
   * not tried again, and nobody is told of it.
   *
   * @throws Unavailable(`DATABASE_UNAVAILABLE`), Aborted(`CONFLICT`)
   */
  async statement<Row extends Record<string, unknown>>(purpose: string, statement: SQL): Promise<readonly Row[]> {
    const rows = await this.read((queries) => queries.execute(statement) as Promise<readonly Row[]>)
    if (rows.length > 0) (this.#counts[purpose] ??= { committed: 0, rolledBack: 0, retried: 0 }).committed += 1
    return rows
  }

  /** Runs reads; failures of the database are translated as in `transaction`. */
  async read<T>(run: (queries: Queries) => Promise<T>): Promise<T> {
    try {
      return await run(this.queries)
    } catch (error) {
      throw translate(error)
    }
  }

  /** Reads that must see one moment: a read-only repeatable-read transaction, not counted since it writes nothing. */
  async snapshot<T>(run: (tx: Tx) => Promise<T>): Promise<T> {
    return this.read((queries) => queries.transaction(run, { isolationLevel: 'repeatable read', accessMode: 'read only' }))
  }

  /** Calls `listener` with what each commit of this process changed; returns the way to end that. */
  onCommit(listener: (changes: Change[]) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Transactions so far by purpose. */
  metrics(): TransactionCounts {
    return structuredClone(this.#counts)
  }

  /** Answers when the database does and the schema is there. @throws Unavailable */
  async ping(): Promise<void> {
    try {
      await this.queries.execute(sql`select 1 from ${this.tables.relay}`)
    } catch (error) {
      if (codeOf(error) === '42P01') throw unavailable('NOT_MIGRATED', `the schema ${this.service} has not been migrated`, { cause: error })
      throw translate(error)
    }
  }

  #announce({ changes, after }: Pick<Pending, 'changes' | 'after'>): void {
    for (const run of after) run()
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear()
    await this.#client.end({ timeout: 1 })
  }
}

function commonRows({ operations, outbox, requestIds, leases }: CommonTables): CommonRows {
  return { operations: rowsOf(operations), outbox: rowsOf(outbox), requestIds: rowsOf(requestIds), leases: rowsOf(leases) }
}

/** Opens a service's schema; nothing is connected yet. */
export function openDatabase(options: DatabaseOptions): Database {
  return new Database(options)
}

/** The database a transaction belongs to. */
export function databaseOf(tx: Tx): Database {
  return pending(tx).database
}

/** Runs `run` once the transaction has committed, and never when it has not. `run` must not throw. */
export function afterCommit(tx: Tx, run: () => void): void {
  pending(tx).after.push(run)
}

/** Marks the transaction as that of a mutating call. */
export function noteCall(tx: Tx): void {
  pending(tx).call = true
}

/** Puts a notice into the outbox, in one statement with all others at the end of the transaction, and tells listeners after the commit. */
export function addNotice(tx: Tx, notice: NewNotice, change: Change): void {
  pending(tx).notices.push(notice)
  pending(tx).changes.push(change)
}

function pending(tx: Tx): Pending {
  const found = pendingOf.get(tx)
  if (found === undefined) throw new TypeError('not a transaction of Database.transaction')
  return found
}

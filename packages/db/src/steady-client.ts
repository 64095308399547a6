import type postgres from 'postgres'
import { type ClientOptions, createClient } from './client.ts'
import { codeOf, isLoss } from './failures.ts'

/** Statements with more parameters differ in text from call to call (lists of ids): the server would keep each for ever. */
const mostParameters = 48
/** What is under way on the other connections of a client that is given up may take so long, in seconds. */
const graceSeconds = 2
/** Connections for statements outside of transactions: many share one, so that two keep a slow one from holding up all others. */
const singlePool = 2

/** One transaction, as far as the driver must be kept from it. */
type Scope = { over: boolean }

/**
 * A client that outlives its connections. The driver (3.4.9) writes to a connection that has been closed when a transaction on it ends, which
 * throws outside of any promise, and one with bytes left from before it was closed never comes back. So a client that has lost a connection gets no
 * new work: another takes its place at the next statement. And a transaction whose connection is lost is left as it is, neither rolled back nor
 * committed: the server has done the former.
 *
 * Transactions have connections of their own, `pool` of them, and what runs by itself has two more. The driver sends a `begin` behind statements
 * that are still under way on a connection, and when it is the hundredth there it does not note whose transaction that is: the caller gets
 * UNSAFE_TRANSACTION, and the statements of others that follow are part of a transaction that nobody ends. Where there are only transactions, a
 * `begin` is always the first on its connection.
 *
 * Statements are prepared once per connection, unless `prepare` is false, and then cost one round trip instead of two. drizzle asks for that only
 * where a query object is kept and named, which a transaction cannot have.
 */
export function steadyClient(options: ClientOptions): postgres.Sql {
  const prepare = options.prepare ?? true
  const ending = new Set<Promise<unknown>>()
  const single = renewed({ ...options, pool: singlePool }, ending)
  // drizzle puts its own into the one that it sees.
  const transactions = renewed(options, ending, () => single.current())

  async function end(how: { timeout?: number } = {}): Promise<void> {
    await Promise.all([single.end(how), transactions.end(how), ...ending])
  }

  return new Proxy(single.current(), {
    get(_, name) {
      if (name === 'end') return end
      if (name === 'unsafe') return unsafeOf(single.current(), prepare)
      if (name === 'begin') return (...given: unknown[]) => begin(transactions.current(), prepare, given)
      return Reflect.get(single.current(), name) as unknown
    },
  })
}

interface Renewed {
  current(): postgres.Sql
  end(how: { timeout?: number }): Promise<void>
}

/** A driver's client, made at its first use and again once it has lost a connection. `like` is whose ways to read and write values it takes at first. */
function renewed(options: ClientOptions, ending: Set<Promise<unknown>>, like?: () => postgres.Sql): Renewed {
  let client: postgres.Sql | undefined
  let spent = false

  function make(model: postgres.Sql | undefined): postgres.Sql {
    const made: postgres.Sql = createClient({ ...options, onclose: () => void (made === client && (spent = true)) })
    Object.assign(made.options.parsers, model?.options.parsers)
    Object.assign(made.options.serializers, model?.options.serializers)
    return made
  }

  function current(): postgres.Sql {
    if (client !== undefined && !spent) return client
    const before = client
    client = make(before ?? like?.())
    spent = false
    if (before !== undefined) {
      const end = before.end({ timeout: graceSeconds }).catch(() => {})
      ending.add(end)
      void end.then(() => ending.delete(end))
    }
    return client
  }

  return { current, end: async (how) => client?.end(how) }
}

function unsafeOf(client: postgres.Sql, prepare: boolean, scope?: Scope): postgres.Sql['unsafe'] {
  return ((text: string, parameters: never[] = [], options = {}) => {
    // Its connection may be another's by now.
    if (scope?.over) throw Object.assign(new Error('the connection of this transaction was lost'), { code: 'CONNECTION_CLOSED' })
    const query = client.unsafe(text, parameters, { ...options, prepare: prepare && parameters.length <= mostParameters })
    if (scope) query.catch((error: unknown) => void (isLoss(codeOf(error)) && (scope.over = true)))
    return query
  }) as postgres.Sql['unsafe']
}

async function begin(client: postgres.Sql, prepare: boolean, given: unknown[]): Promise<unknown> {
  const run = given.at(-1) as (sql: postgres.Sql) => Promise<unknown>
  const driver = client.begin as unknown as (...all: unknown[]) => Promise<unknown>
  const scope: Scope = { over: false }
  const result = Promise.withResolvers<unknown>()
  const guarded = async (sql: postgres.Sql): Promise<unknown> => {
    const inner = new Proxy(sql, {
      get: (target, name) => (name === 'unsafe' ? unsafeOf(target, prepare, scope) : (Reflect.get(target, name) as unknown)),
    })
    try {
      const answer = await run(inner)
      if (!scope.over) return answer
      result.reject(Object.assign(new Error('the connection was lost before the commit'), { code: 'CONNECTION_CLOSED' }))
    } catch (error) {
      if (!scope.over) throw error
      result.reject(error)
    }
    // The driver hears no more of it, so that it writes nothing.
    return new Promise(() => {})
  }
  const driven = driver(...given.slice(0, -1), guarded)
  driven.then(result.resolve, (error: unknown) => {
    scope.over = true
    result.reject(error)
  })
  return result.promise
}

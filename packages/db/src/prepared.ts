import type postgres from 'postgres'

/** Statements with more parameters differ in text from call to call (lists of ids): the server would keep each for ever. */
const mostParameters = 48

/**
 * A client whose statements are prepared once per connection and then cost one round trip instead of two. drizzle asks for that only where a
 * query object is kept and named, which a transaction cannot have.
 */
export function preparing(client: postgres.Sql): postgres.Sql {
  return new Proxy(client, {
    get(target, name) {
      if (name === 'unsafe') return unsafeOf(target)
      if (name === 'begin') return (...given: unknown[]) => beginOf(target, given)
      return Reflect.get(target, name) as unknown
    },
  })
}

function unsafeOf(client: postgres.Sql): postgres.Sql['unsafe'] {
  return ((text: string, parameters: never[] = [], options = {}) =>
    client.unsafe(text, parameters, { ...options, prepare: parameters.length <= mostParameters })) as postgres.Sql['unsafe']
}

function beginOf(client: postgres.Sql, given: unknown[]): unknown {
  const run = given.at(-1) as (sql: postgres.Sql) => unknown
  const begin = client.begin as unknown as (...all: unknown[]) => unknown
  return begin(...given.slice(0, -1), (sql: postgres.Sql) => run(preparing(sql)))
}

import { aborted, notFound } from '@berth/errors'
import { and, asc, eq, gt, isNotNull, or, type SQL, sql } from 'drizzle-orm'
import type { Executor, Tx } from '../database.ts'
import { translate } from '../failures.ts'
import { isId } from '../ids.ts'
import type { Match } from '../rows.ts'
import type { ResourceTable } from '../tables/resource.ts'
import { jsonName, parseFilter, type Term } from './filter.ts'
import type { Inner } from './inner.ts'
import { etagOf, type ResourceMessage, type Stored } from './message.ts'
import { pageSizeOf, pageToken, readPageToken } from './page.ts'
import type { ResourceStore } from './resource-store.ts'

const commonFilters = ['name', 'label', 'state', 'host'] as const
type Reads = 'get' | 'find' | 'byId' | 'byColumns' | 'list' | 'onHost' | 'all' | 'unsettled' | 'lock' | 'lockById' | 'filterFields'

export function reads<M extends ResourceMessage, Extra>(inner: Inner<M, Extra>): Pick<ResourceStore<M, Extra>, Reads> {
  const { db, table, rows, kind, codec } = inner
  const filterFields = [...commonFilters, ...(inner.statusFilters ?? [])]

  async function one(executor: Executor, where: Match<ResourceTable>, lock?: 'update' | 'share'): Promise<Stored<M, Extra> | undefined> {
    const [row] = await rows.select(executor, where, lock ? { lock } : {}).catch(rethrow)
    return row && codec.fromRow(row)
  }
  const named = (project: string, reference: string) => (isId(reference) ? { project, id: reference } : { project, name: reference })
  const missing = (reference: string) =>
    notFound(`${kind.toUpperCase()}_NOT_FOUND`, `no ${kind} “${reference}”`, { metadata: { [kind]: reference } })
  const find = (project: string, reference: string, tx?: Tx) => one(tx ?? db.queries, named(project, reference))

  return {
    filterFields,
    find,
    byId: (id, tx) => one(tx ?? db.queries, { id }),
    byColumns: (values, tx, lock) => one(tx ?? db.queries, values, lock),
    lockById: (tx, id) => one(tx, { id }, 'update'),
    async get(project, reference, tx) {
      const row = await find(project, reference, tx)
      if (row === undefined) throw missing(reference)
      return row
    },
    async lock(tx, project, reference, etag) {
      const row = await one(tx, named(project, reference), 'update')
      if (row === undefined) throw missing(reference)
      if (etag && etag !== etagOf(row)) throw stale(kind, reference, etagOf(row))
      return row
    },
    async list(project, page) {
      const size = pageSizeOf(page.pageSize)
      const scope = `${kind} ${project} ${page.filter}`
      const after = readPageToken(page.pageToken, scope)
      const terms = parseFilter(page.filter, filterFields).map((term) => condition(table, term))
      const where = and(eq(table.project, project), after === '' ? undefined : gt(table.id, after), ...terms)
      const found = await db.read((queries) =>
        queries
          .select()
          .from(table)
          .where(where)
          .orderBy(asc(table.id))
          .limit(size + 1),
      )
      const shown = found.slice(0, size).map(codec.fromRow)
      return { rows: shown, nextPageToken: found.length > size ? pageToken(shown.at(-1)?.id ?? '', scope) : '' }
    },
    async onHost(host) {
      const found = await db.read((queries) => queries.select().from(table).where(eq(table.host, host)).orderBy(asc(table.id)))
      return found.map(codec.fromRow)
    },
    async all(project, tx) {
      const query = (tx ?? db.queries).select().from(table).where(eq(table.project, project)).orderBy(asc(table.id))
      return (await query.catch(rethrow)).map(codec.fromRow)
    },
    async unsettled(host) {
      const behind = or(sql`${table.observedGeneration} <> ${table.generation}`, isNotNull(table.deleteTime))
      const where = and(eq(table.host, host), behind)
      const found = await db.read((queries) => queries.select({ id: table.id }).from(table).where(where).orderBy(asc(table.id)))
      return found.map(({ id }) => id)
    },
  }
}

/** `state` is compared with the enum's name in proto JSON, with or without its prefix: `READY` fits `VOLUME_STATE_READY`. */
function condition(table: Inner<never, never>['table'], { field, value }: Term): SQL {
  if (field === 'name') return eq(table.name, value)
  if (field === 'host') return eq(table.host, value)
  if (field === 'state')
    return sql`(${table.status}->>'state' = ${value} or ${table.status}->>'state' like ${`%\\_STATE\\_${escapeLike(value)}`})`
  if (!field.startsWith('label.')) return sql`${table.status}->>${jsonName(field)} = ${value}`
  return sql`${table.labels}->>${field.slice('label.'.length)} = ${value}`
}

function escapeLike(value: string): string {
  return value.replaceAll(/[\\%_]/g, (character) => `\\${character}`)
}

function stale(kind: string, reference: string, etag: string) {
  return aborted('STALE_ETAG', `${kind} “${reference}” has changed since it was read`, { field: 'etag', metadata: { etag } })
}

function rethrow(error: unknown): never {
  throw translate(error)
}

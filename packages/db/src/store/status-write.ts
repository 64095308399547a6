import { isDeepStrictEqual } from 'node:util'
import { columnsOf } from '../columns.ts'
import type { Change } from '../database.ts'
import { newId } from '../ids.ts'
import type { ResourceTable } from '../tables/resource.ts'
import type { Inner } from './inner.ts'
import type { ResourceMessage } from './message.ts'
import type { ResourceStore } from './resource-store.ts'

/** A moment as proto JSON writes it. */
const moment = (column: string) => `replace(to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '.000Z', 'Z')`

/** The proto JSON of a resource, made of its row as the codec makes it of the message. */
const resourceJson = `jsonb_build_object('id', id, 'project', project, 'name', name, 'spec', spec, 'status', status,
      'generation', generation::text, 'etag', generation::text, 'createTime', ${moment('create_time')}, 'updateTime', ${moment('update_time')})
    || case when host = '' then '{}' else jsonb_build_object('host', host) end
    || case when creator = '' then '{}' else jsonb_build_object('creator', creator) end
    || case when labels = '{}' then '{}' else jsonb_build_object('labels', labels) end
    || case when annotations = '{}' then '{}' else jsonb_build_object('annotations', annotations) end`

/**
 * Writes a status as one statement: fence, change and notice are common table expressions of it, so nothing is there by halves, and the outbox row
 * gets its place while the row is locked, as in a transaction. It changes only a row that is as it was read, and alive.
 */
export function statusWrite<M extends ResourceMessage, Extra>(inner: Inner<M, Extra>): Pick<ResourceStore<M, Extra>, 'writeStatus'> {
  const { db, table, kind, codec } = inner
  const columns = columnsOf<ResourceTable>(table)
  const texts = new Map<string, string>()
  const outbox = columnsOf(db.tables.outbox).table
  const leases = columnsOf(db.tables.leases).table

  function textFor(set: readonly string[]): string {
    const changes = set.map((key, index) => `${columns.nameOf(key)} = $${index + 8}`)
    return `with held as (select 1 from ${leases} where service = $1 and host_id = $2 and epoch = $3 for key share),
  changed as (update ${columns.table} set ${changes.join(', ')}, update_time = now()
    where id = $4 and generation = $5 and status = $6 and delete_time is null and exists (select from held) returning ${columns.list}),
  told as (insert into ${outbox} (id, project, kind, resource_id, verb, generation, actor, resource)
    select $7, project, '${kind}', id, 'status', generation, 'berth-${db.service}', ${resourceJson} from changed)
select ${columns.list} from changed`
  }

  return {
    async writeStatus(purpose, lease, row, status, extra) {
      const [before, json] = [codec.statusJson(row.status), codec.statusJson(status)]
      if (extra === undefined && isDeepStrictEqual(json, before)) return undefined
      const observed = 'observedGeneration' in status ? { observedGeneration: Number(status.observedGeneration) } : {}
      const set = { status: json, ...observed, ...extra }
      const keys = Object.keys(set)
      const shape = keys.join()
      const text = texts.get(shape) ?? textFor(keys)
      texts.set(shape, text)
      const event = newId('evt')
      const held = [lease.service, lease.hostId, lease.epoch]
      const seen = [row.id, row.generation, columns.encode('status', before)]
      const values = Object.entries(set).map(([key, value]) => columns.encode(key, value))
      const change: Change = { kind, id: row.id, project: row.project, verb: 'status', event }
      const found = await db.told(purpose, change, { sql: text, params: [...held, ...seen, event, ...values] }, columns.decode)
      return found && codec.fromRow(found)
    },
  }
}

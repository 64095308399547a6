import { isDeepStrictEqual } from 'node:util'
import { alreadyExists } from '@berth/errors'
import { getTableName } from 'drizzle-orm'
import type { Tx } from '../database.ts'
import { isUniqueViolation } from '../failures.ts'
import { newId } from '../ids.ts'
import { appendOutbox } from '../outbox.ts'
import { type Input, now } from '../rows.ts'
import { together } from '../together.ts'
import type { ResourceRow, ResourceTable } from '../tables/resource.ts'
import { fence } from './fence.ts'
import type { Inner } from './inner.ts'
import type { ResourceMessage, Stored } from './message.ts'
import type { ResourceStore } from './resource-store.ts'

type Writes = 'insert' | 'updateSpec' | 'updateStatus' | 'markDeleted' | 'remove'
type Set = Input<ResourceTable>

export function writes<M extends ResourceMessage, Extra>(inner: Inner<M, Extra>): Pick<ResourceStore<M, Extra>, Writes> {
  const { db, table, rows, kind, codec } = inner
  const service = `berth-${db.service}`

  function note(tx: Tx, row: ResourceRow, verb: string, actor: string): Stored<M, Extra> {
    const stored = codec.fromRow(row)
    const { id: resourceId, project, generation } = row
    appendOutbox(tx, [{ project, kind, resourceId, verb, generation, actor, resource: codec.toJson(stored) }])
    return stored
  }

  async function change(tx: Tx, id: string, set: Set, verb: string, actor: string): Promise<Stored<M, Extra>> {
    const [row] = await rows.update(tx, { ...set, updateTime: now }, { id })
    if (row === undefined) throw new Error(`${kind} ${id} went away while it was locked`)
    return note(tx, row, verb, actor)
  }

  return {
    async insert(tx, { spec, status, id, extra, ...given }) {
      const values = { id: id ?? newId(inner.idPrefix), ...given, ...extra, spec: codec.specJson(spec), status: codec.statusJson(status) }
      const [row] = await rows.insert(tx, values).catch((error: unknown) => {
        throw isUniqueViolation(error, nameKey(table)) ? nameTaken(kind, given.name) : error
      })
      return note(tx, row as ResourceRow, 'created', given.creator)
    },

    updateSpec(tx, row, { actor, spec, extra, ...rest }) {
      const next = spec === undefined ? {} : { spec: codec.specJson(spec), generation: row.generation + 1 }
      return change(tx, row.id, { ...rest, ...extra, ...next }, 'updated', actor)
    },

    async updateStatus(tx, lease, row, status, extra) {
      // Not waited for: the change follows on the same connection, and none of it stays when the fence fails.
      const fenced = fence(tx, lease)
      const json = codec.statusJson(status)
      const same = extra === undefined && isDeepStrictEqual(json, codec.statusJson(row.status))
      const observed = 'observedGeneration' in status ? { observedGeneration: Number(status.observedGeneration) } : {}
      const [, changed] = await together([
        fenced,
        same ? row : change(tx, row.id, { ...extra, ...observed, status: json }, 'status', service),
      ])
      return changed
    },

    async markDeleted(tx, row, actor) {
      if (row.deleteTime !== null) return row
      return change(tx, row.id, { deleteTime: now }, 'deleting', actor)
    },

    async remove(tx, lease, { id }) {
      await fence(tx, lease)
      const [row] = await rows.remove(tx, { id })
      if (row !== undefined) note(tx, row, 'deleted', service)
    },
  }
}

function nameKey(table: Inner<never, never>['table']): string {
  return `${getTableName(table)}_project_name_key`
}

function nameTaken(kind: string, name: string) {
  return alreadyExists('NAME_TAKEN', `there is a ${kind} “${name}” already`, { field: 'name', metadata: { name } })
}

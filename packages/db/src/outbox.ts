import { databaseOf, noteChange, type Tx } from './database.ts'
import { newId } from './ids.ts'
import type { JsonObject } from './tables/common.ts'

export type OutboxEntry = {
  project: string
  kind: string
  resourceId: string
  /** `created`, `updated`, `status`, `deleting` or `deleted`. */
  verb: string
  generation: number
  actor: string
  /** proto3 JSON of the resource after the change. */
  resource: JsonObject
  /** Id of the resource that an operation works on; wakes its controller. */
  parent?: string
}

/** Writes the notice of a change in the transaction that makes it. Call it with the changed row locked: that gives the order per object. */
export async function appendOutbox(tx: Tx, entries: OutboxEntry[]): Promise<void> {
  if (entries.length === 0) return
  const { outbox } = databaseOf(tx).tables
  await tx.insert(outbox).values(entries.map(({ parent: _, ...entry }) => ({ id: newId('evt'), ...entry })))
  for (const { kind, resourceId, project, verb, parent } of entries) {
    noteChange(tx, { kind, id: resourceId, project, verb, ...(parent === undefined ? {} : { parent }) })
  }
}

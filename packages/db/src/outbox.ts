import { addNotice, type Tx } from './database.ts'
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

/** Writes the notices of changes in the transaction that makes them. Call it with the changed rows locked: that gives the order per object. */
export function appendOutbox(tx: Tx, entries: OutboxEntry[]): void {
  for (const { parent, ...entry } of entries) {
    const { kind, resourceId: id, project, verb } = entry
    const event = newId('evt')
    const ofOperation = parent === undefined ? {} : { parent, over: entry.resource['endTime'] !== undefined }
    addNotice(tx, { id: event, ...entry }, { kind, id, project, verb, event, ...ofOperation })
  }
}

import type { Database } from '../database.ts'
import type { Rows } from '../rows.ts'
import type { ResourceTable } from '../tables/resource.ts'
import type { Codec, ResourceMessage } from './message.ts'

/** What the halves of a store share. */
export type Inner<M extends ResourceMessage, Extra> = {
  db: Database
  table: ResourceTable
  rows: Rows<ResourceTable>
  kind: string
  idPrefix: string
  codec: Codec<M, Extra>
  statusFilters?: readonly string[]
}

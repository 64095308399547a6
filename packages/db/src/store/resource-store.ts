import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import type { Database, Tx } from '../database.ts'
import { type Match, rowsOf } from '../rows.ts'
import type { ResourceTable } from '../tables/resource.ts'
import type { Fence } from './fence.ts'
import { type ResourceMessage, resourceCodec, type Stored } from './message.ts'
import type { PageRequest } from './page.ts'
import { reads } from './reads.ts'
import { statusWrite } from './status-write.ts'
import { writes } from './writes.ts'

type ExtraOf<T extends { $inferSelect: object }> = Omit<T['$inferSelect'], keyof ResourceTable['$inferSelect']>
type Part<M extends ResourceMessage, K extends 'spec' | 'status'> = NonNullable<M[K]>

export type Insert<M extends ResourceMessage, Extra> = {
  project: string
  name: string
  spec: Part<M, 'spec'>
  status: Part<M, 'status'>
  host: string
  creator: string
  /** Default: a new one. */
  id?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  extra?: Partial<Extra>
}

export type SpecChange<M extends ResourceMessage, Extra> = {
  actor: string
  /** Unset leaves the spec and the generation as they are. */
  spec?: Part<M, 'spec'>
  labels?: Record<string, string>
  annotations?: Record<string, string>
  extra?: Partial<Extra>
}

export type Page<M extends ResourceMessage, Extra> = { rows: Stored<M, Extra>[]; nextPageToken: string }

/** One kind of resource in its table. Every write puts its notice into the outbox in the same transaction. */
export type ResourceStore<M extends ResourceMessage, Extra> = {
  readonly kind: string
  readonly db: Database
  readonly schema: GenMessage<M>
  readonly idPrefix: string
  /** Fields a list's filter may name. */
  readonly filterFields: readonly string[]
  toMessage(row: Stored<M, Extra>): M
  /** By id or name. @throws NotFound(`<KIND>_NOT_FOUND`), also for what is another project's */
  get(project: string, reference: string, tx?: Tx): Promise<Stored<M, Extra>>
  /** By id or name; undefined when there is none. */
  find(project: string, reference: string, tx?: Tx): Promise<Stored<M, Extra> | undefined>
  /** By id in any project: for controllers and the host plane only. */
  byId(id: string, tx?: Tx): Promise<Stored<M, Extra> | undefined>
  /** The row whose columns have these values, by which a unique index knows it. */
  byColumns(values: Match<ResourceTable> & Partial<Extra>, tx?: Tx, lock?: 'update' | 'share'): Promise<Stored<M, Extra> | undefined>
  /** One page, oldest first. @throws InvalidArgument(`BAD_PAGE_TOKEN` | `BAD_FILTER` | `BAD_PAGE_SIZE`) */
  list(project: string, page: PageRequest): Promise<Page<M, Extra>>
  /** All rows on a host, oldest first: for controllers and audits. */
  onHost(host: string): Promise<Stored<M, Extra>[]>
  /** All rows of a project, oldest first: for the beginning of a watch. */
  all(project: string, tx?: Tx): Promise<Stored<M, Extra>[]>
  /** Ids on a host whose spec is not yet observed or that are to be deleted, oldest first. */
  unsettled(host: string): Promise<string[]>
  /** Locks the row for an update. `etag` empty: whatever it is. @throws NotFound, Aborted(`STALE_ETAG`) */
  lock(tx: Tx, project: string, reference: string, etag?: string): Promise<Stored<M, Extra>>
  /** As `lock`, by id in any project; undefined when it is gone. */
  lockById(tx: Tx, id: string): Promise<Stored<M, Extra> | undefined>
  /** @throws AlreadyExists(`NAME_TAKEN`) */
  insert(tx: Tx, row: Insert<M, Extra>): Promise<Stored<M, Extra>>
  /** Changes what is wanted (generation + 1 when there is a spec). The row must be locked. */
  updateSpec(tx: Tx, row: Stored<M, Extra>, change: SpecChange<M, Extra>): Promise<Stored<M, Extra>>
  /** Writes what is so, under the lease's epoch. `status.observedGeneration` goes to its column too. @throws Aborted(`LEASE_LOST`) */
  updateStatus(tx: Tx, lease: Fence, row: Stored<M, Extra>, status: Part<M, 'status'>, extra?: Partial<Extra>): Promise<Stored<M, Extra>>
  /**
   * As `updateStatus` in a transaction of its own, as one statement: for a row that is still as `row` was read.
   *
   * @returns undefined, and nothing is written, when it is not, when this process no longer holds the host, and when the status is the same already
   */
  writeStatus(
    purpose: string,
    lease: Fence,
    row: Stored<M, Extra>,
    status: Part<M, 'status'>,
    extra?: Partial<Extra>,
  ): Promise<Stored<M, Extra> | undefined>
  /** Sets `delete_time`; a second call changes nothing. The row must be locked. */
  markDeleted(tx: Tx, row: Stored<M, Extra>, actor: string): Promise<Stored<M, Extra>>
  /** Removes the row, under the lease's epoch: the name is free. Removing what is gone does nothing. @throws Aborted(`LEASE_LOST`) */
  remove(tx: Tx, lease: Fence, row: Stored<M, Extra>): Promise<void>
}

export type StoreOptions<M extends ResourceMessage, T> = {
  db: Database
  /** Made by `resourceTable`. */
  table: T
  /** Kind in events and errors, e.g. `volume`. */
  kind: string
  /** Prefix of its ids, e.g. `vol`. */
  idPrefix: string
  /** Text fields of the status, by their proto names, that a filter may name beside the common ones, e.g. `vendor_id`. */
  statusFilters?: readonly string[]
  /** Descriptor of the resource message. */
  schema: GenMessage<M>
}

/** The store of one kind of resource. */
export function resourceStore<M extends ResourceMessage, T extends { $inferSelect: object }>(
  options: StoreOptions<M, T>,
): ResourceStore<M, ExtraOf<T>> {
  type Extra = ExtraOf<T>
  const table = options.table as unknown as ResourceTable
  const inner = { ...options, table, rows: rowsOf(table), codec: resourceCodec<M, Extra>(options.schema) }
  return {
    kind: options.kind,
    db: options.db,
    schema: options.schema,
    idPrefix: options.idPrefix,
    toMessage: inner.codec.toMessage,
    ...reads<M, Extra>(inner),
    ...writes<M, Extra>(inner),
    ...statusWrite<M, Extra>(inner),
  }
}

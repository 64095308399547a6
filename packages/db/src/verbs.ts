import type { Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import type { DescMessage } from '@bufbuild/protobuf'
import type { Tx } from './database.ts'
import { newId, operationPrefix } from './ids.ts'
import { accept, openOperation, operationById, operationMessage } from './operation.ts'
import { together } from './together.ts'
import { type Made, type Request, withRequestId } from './request-id.ts'
import type { ResourceMessage, Stored } from './store/message.ts'
import type { Insert, ResourceStore, SpecChange } from './store/resource-store.ts'
import type { OperationRow } from './tables/common.ts'

/** What a mutating call answers. */
export type Accepted<M> = {
  /** As it is now; undefined when a repeated call finds it gone. */
  resource: M | undefined
  /** Undefined when the change needs no work. */
  operation: Operation | undefined
  /** The same request id and body were answered before. */
  repeated: boolean
}

/** What a rule decides about a locked resource. Nothing set: it is already as wanted, and no operation is made. */
export type Decision<M extends ResourceMessage, Extra> = {
  change?: Omit<SpecChange<M, Extra>, 'actor'>
  /** Ask for its deletion. */
  delete?: boolean
  /** Kind of the operation, e.g. `volume.resize`; unset when the change needs no work. */
  operation?: string
  /** Without `operation`: kind of the work that was asked for before; the answer names its operation until that has ended. */
  joins?: string
}

export type ResourceVerbs<M extends ResourceMessage, Extra> = {
  /** Inserts a resource, with an operation when `operation` is named. `also` joins the transaction after the insert. */
  create<D extends DescMessage>(
    request: Request<D>,
    row: Omit<Insert<M, Extra>, 'project' | 'creator'>,
    operation?: string,
    also?: (tx: Tx, row: Stored<M, Extra>) => Promise<void>,
  ): Promise<Accepted<M>>
  /** Locks a resource, asks `decide` what shall become of it, and does that. */
  change<D extends DescMessage>(
    request: Request<D>,
    target: { reference: string; etag?: string },
    decide: (row: Stored<M, Extra>, tx: Tx) => Decision<M, Extra> | Promise<Decision<M, Extra>>,
  ): Promise<Accepted<M>>
}

/** Mutating calls on one kind of resource: request id, resource, operation and outbox in one transaction, counted as `<kind>.create` or `<kind>.change`. */
export function resourceVerbs<M extends ResourceMessage, Extra>(store: ResourceStore<M, Extra>): ResourceVerbs<M, Extra> {
  const { db, kind } = store

  type Fresh = { row: Stored<M, Extra>; operation: OperationRow | undefined }

  function once<D extends DescMessage>(
    purpose: string,
    request: Request<D>,
    run: (tx: Tx) => Promise<Fresh>,
    preset?: Made,
  ): Promise<Accepted<M>> {
    return db.transaction(purpose, async (tx) => {
      let fresh: Fresh | undefined
      const once = async () => {
        fresh = await run(tx)
        return { resourceId: fresh.row.id, operationId: fresh.operation?.id ?? '' }
      }
      const { resourceId, operationId, repeated } = await withRequestId(tx, request, once, preset)
      const row = fresh?.row ?? (await store.byId(resourceId, tx))
      const known = fresh || operationId === '' ? fresh?.operation : await operationById(db, request.caller.project, operationId, tx)
      return { resource: row && store.toMessage(row), operation: known && operationMessage(known), repeated }
    })
  }

  return {
    create(request, row, kindOfWork, also) {
      const id = row.id ?? newId(store.idPrefix)
      const operationId = kindOfWork ? newId(operationPrefix(db.service)) : ''
      const run = async (tx: Tx): Promise<Fresh> => {
        const { project, actor } = request.caller
        // Not waited for one by one: they go out together, and none stays when one is refused.
        const inserting = store.insert(tx, { ...row, id, project, creator: actor })
        const resource = { id, project, name: row.name, host: row.host }
        const accepting = kindOfWork ? accept(tx, { id: operationId, kind: kindOfWork, resource, actor }) : undefined
        const [made, operation] = await together([inserting, accepting])
        await also?.(tx, made)
        return { row: made, operation }
      }
      return once(`${kind}.create`, request, run, { resourceId: id, operationId })
    },
    change: (request, { reference, etag }, decide) =>
      once(`${kind}.change`, request, async (tx) => {
        const { project, actor } = request.caller
        let row = await store.lock(tx, project, reference, etag)
        const decision = await decide(row, tx)
        if (decision.change) row = await store.updateSpec(tx, row, { ...decision.change, actor })
        if (decision.delete) row = await store.markDeleted(tx, row, actor)
        if (decision.operation) return { row, operation: await accept(tx, { kind: decision.operation, resource: row, actor }) }
        return { row, operation: decision.joins ? await openOperation(tx, row.id, decision.joins) : undefined }
      }),
  }
}

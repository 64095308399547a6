import { OperationPriority, OperationSchema, OperationState, type Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { create, toJson } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { and, desc, eq, isNull } from 'drizzle-orm'
import { type Database, databaseOf, type Executor, type Tx } from './database.ts'
import { detailTypes, statusMessage } from './error-details.ts'
import { newId, operationPrefix } from './ids.ts'
import { appendOutbox } from './outbox.ts'
import type { JsonObject, OperationRow } from './tables/common.ts'

export type Accept = {
  /** `<kind>.<verb>`, e.g. `volume.create`. */
  kind: string
  resource: { id: string; name: string; project: string; host: string }
  actor: string
  priority?: keyof typeof OperationPriority
  /** Default: a new one. */
  id?: string
}

/** Records that work was asked for: an operation, PENDING. Call it in the transaction that changes the resource. */
export async function accept(tx: Tx, { kind, resource, actor, priority = 'DEFAULT', id: given }: Accept): Promise<OperationRow> {
  const db = databaseOf(tx)
  const id = given ?? newId(operationPrefix(db.service))
  const { id: resourceId, name: resourceName, project, host } = resource
  const [inserted] = await db.rows.operations.insert(tx, { id, project, kind, resourceId, resourceName, actor, host, priority })
  const row = inserted as OperationRow
  noteOperations(tx, [row], 'created')
  return row
}

/** Writes the outbox rows of changed operations. */
export function noteOperations(tx: Tx, rows: OperationRow[], verb: string): void {
  const entries = rows.map((row) => ({
    project: row.project,
    kind: 'operation',
    resourceId: row.id,
    verb,
    generation: 0,
    actor: row.actor,
    resource: operationJson(row),
    parent: row.resourceId,
  }))
  appendOutbox(tx, entries)
}

/** An operation of a project by id; undefined when there is none (any more). */
export async function operationById(
  db: Database,
  project: string,
  id: string,
  executor: Executor = db.queries,
): Promise<OperationRow | undefined> {
  const [row] = await db.rows.operations.select(executor, { project, id })
  return row
}

/** The latest operation of a kind on a resource that has not ended; undefined when there is none. */
export async function openOperation(tx: Tx, resourceId: string, kind: string): Promise<OperationRow | undefined> {
  const { operations } = databaseOf(tx).tables
  const where = and(eq(operations.resourceId, resourceId), eq(operations.kind, kind), isNull(operations.endTime))
  const [row] = await tx.select().from(operations).where(where).orderBy(desc(operations.id)).limit(1)
  return row
}

/** The proto3 JSON of an operation. */
export function operationJson(row: OperationRow): JsonObject {
  return toJson(OperationSchema, operationMessage(row), { registry: detailTypes }) as JsonObject
}

/** The public form of an operation. */
export function operationMessage(row: OperationRow): Operation {
  const time = (date: Date | null) => (date === null ? undefined : timestampFromDate(date))
  return create(OperationSchema, {
    id: row.id,
    project: row.project,
    kind: row.kind,
    resourceId: row.resourceId,
    resourceName: row.resourceName,
    actor: row.actor,
    priority: OperationPriority[row.priority as keyof typeof OperationPriority] ?? OperationPriority.DEFAULT,
    notBefore: time(row.notBefore),
    state: OperationState[row.state as keyof typeof OperationState],
    progress: row.stage === '' ? undefined : { stage: row.stage, done: BigInt(row.done), total: BigInt(row.total), unit: row.unit },
    stages: row.stages.map(({ stage, start, end }) => ({
      stage,
      startTime: timestampFromDate(new Date(start)),
      endTime: end === undefined ? undefined : timestampFromDate(new Date(end)),
    })),
    attempts: row.attempts,
    error: row.error === null ? undefined : statusMessage(row.error),
    host: row.host,
    createTime: time(row.createTime),
    startTime: time(row.startTime),
    endTime: time(row.endTime),
    cancelRequested: row.cancelRequested,
  })
}

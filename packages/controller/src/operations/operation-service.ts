import {
  operationById,
  operationMessage,
  noteOperations,
  type OperationRow,
  pageSizeOf,
  pageToken,
  parseFilter,
  readPageToken,
} from '@berth/db'
import { failedPrecondition, notFound } from '@berth/errors'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { durationMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { and, asc, eq, gt } from 'drizzle-orm'
import type { Operations } from './operations.ts'
import { untilChanged } from './until-changed.ts'

export type OperationServiceOptions = {
  operations: Operations
  callerOf: (context: HandlerContext) => { project: string; actor: string }
  /** Which operations can be asked to stop; default those of kind `….create` and `….pull`. */
  cancellable?: (operation: OperationRow) => boolean
}

const fields = ['state', 'kind', 'resource_id', 'host'] as const
const defaultWaitMs = 30_000

/** The OperationService of one service: its own operations, of the caller's project. */
export function operationService({
  operations,
  callerOf,
  cancellable = isMaking,
}: OperationServiceOptions): ServiceImpl<typeof OperationService> {
  const { db } = operations
  const table = db.tables.operations
  const columns = { state: table.state, kind: table.kind, resource_id: table.resourceId, host: table.host }

  async function get(project: string, id: string): Promise<OperationRow> {
    const row = await db.read(() => operationById(db, project, id))
    if (row === undefined) throw notFound('OPERATION_NOT_FOUND', `no operation “${id}”`, { metadata: { operation: id } })
    return row
  }

  return {
    getOperation: async ({ id }, context) => ({ operation: operationMessage(await get(callerOf(context).project, id)) }),

    async listOperations(request, context) {
      const { project } = callerOf(context)
      const size = pageSizeOf(request.pageSize)
      const scope = `operation ${project} ${request.filter}`
      const after = readPageToken(request.pageToken, scope)
      const terms = parseFilter(request.filter, fields).map(({ field, value }) => eq(columns[field as keyof typeof columns], value))
      const where = and(eq(table.project, project), after === '' ? undefined : gt(table.id, after), ...terms)
      const rows = await db.read((queries) =>
        queries
          .select()
          .from(table)
          .where(where)
          .orderBy(asc(table.id))
          .limit(size + 1),
      )
      const page = rows.slice(0, size)
      return { operations: page.map(operationMessage), nextPageToken: rows.length > size ? pageToken(page.at(-1)?.id ?? '', scope) : '' }
    },

    async waitOperation({ id, timeout }, context) {
      const { project } = callerOf(context)
      const end = performance.now() + (timeout === undefined ? defaultWaitMs : durationMs(timeout))
      for await (const row of untilChanged(operations, () => get(project, id), id, context.signal, { endMs: end, end: true })) {
        if (row.endTime !== null || performance.now() >= end) return { operation: operationMessage(row) }
      }
      return { operation: operationMessage(await get(project, id)) }
    },

    async *watchOperation({ id }, context) {
      const { project } = callerOf(context)
      for await (const row of untilChanged(operations, () => get(project, id), id, context.signal)) {
        yield { operation: operationMessage(row) }
        if (row.endTime !== null) return
      }
    },

    async cancelOperation({ id }, context) {
      const { project } = callerOf(context)
      const found = await get(project, id)
      if (found.endTime !== null) throw ended(id, found.state)
      if (!cancellable(found)) throw failedPrecondition('NOT_CANCELLABLE', `an operation of kind ${found.kind} cannot be cancelled`)
      if (found.cancelRequested) return { operation: operationMessage(found) }
      const row = await db.transaction('operation.cancel', async (tx) => {
        const [locked] = await tx.select().from(table).where(eq(table.id, id)).for('update')
        if (locked === undefined || locked.endTime !== null) throw ended(id, locked?.state ?? 'gone')
        const rows = await tx.update(table).set({ cancelRequested: true }).where(eq(table.id, id)).returning()
        noteOperations(tx, rows, 'cancelling')
        return rows[0] as OperationRow
      })
      return { operation: operationMessage(row) }
    },
  }
}

function isMaking({ kind }: OperationRow): boolean {
  return kind.endsWith('.create') || kind.endsWith('.pull')
}

function ended(id: string, state: string) {
  return failedPrecondition('OPERATION_ENDED', `operation “${id}” has ended: ${state}`, { metadata: { state } })
}

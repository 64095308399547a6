import {
  InstanceSpecSchema,
  type InstanceSpec,
  InstanceStatusSchema,
  type InstanceStatus,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { fromJson } from '@bufbuild/protobuf'
import { and, eq, exists, isNull, sql } from 'drizzle-orm'
import { type InstanceStore, instances } from './tables.ts'

export type Audited = { id: string; host: string; deleteTime: Date | null; spec: InstanceSpec; status: InstanceStatus; busy: boolean }

/** Every instance of every host and project, with whether an operation is under way: what the audit compares with. */
export async function auditedRows({ db }: InstanceStore): Promise<Audited[]> {
  const { operations } = db.tables
  const rows = await db.read((queries) => {
    const open = queries
      .select({ one: sql`1` })
      .from(operations)
      .where(and(eq(operations.resourceId, instances.id), isNull(operations.endTime)))
    const { id, host, deleteTime, spec, status } = instances
    return queries.select({ id, host, deleteTime, spec, status, busy: sql<boolean>`${exists(open)}` }).from(instances)
  })
  return rows.map((row) => ({
    ...row,
    spec: fromJson(InstanceSpecSchema, row.spec, { ignoreUnknownFields: true }),
    status: fromJson(InstanceStatusSchema, row.status, { ignoreUnknownFields: true }),
  }))
}

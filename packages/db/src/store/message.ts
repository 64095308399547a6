import { create, type DescMessage, fromJson, type Message, toJson } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import { type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { JsonObject } from '../tables/common.ts'
import type { ResourceRow } from '../tables/resource.ts'

/** The fields every resource message has (design: resources). */
export type ResourceMessage = Message & {
  id: string
  project: string
  name: string
  labels: { [key: string]: string }
  annotations: { [key: string]: string }
  spec?: Message
  status?: Message
  generation: bigint
  etag: string
  host: string
  createTime?: Timestamp
  updateTime?: Timestamp
  deleteTime?: Timestamp
  creator: string
}

/** A row of a resource table with its spec and status decoded; `extra` are the table's own columns. */
export type Stored<M extends ResourceMessage, Extra = unknown> = Omit<ResourceRow, 'spec' | 'status'> & {
  spec: NonNullable<M['spec']>
  status: NonNullable<M['status']>
  extra: Extra
}

export type Codec<M extends ResourceMessage, Extra> = {
  fromRow(row: ResourceRow): Stored<M, Extra>
  toMessage(stored: Stored<M, Extra>): M
  toJson(stored: Stored<M, Extra>): JsonObject
  specJson(spec: NonNullable<M['spec']>): JsonObject
  statusJson(status: NonNullable<M['status']>): JsonObject
}

const common = new Set([
  ...['id', 'project', 'name', 'labels', 'annotations', 'spec', 'status', 'generation', 'observedGeneration'],
  ...['host', 'createTime', 'updateTime', 'deleteTime', 'creator'],
])

/** Turns rows into messages and back, by the resource message's own descriptor. Fields unknown to this version are dropped on reading. */
export function resourceCodec<M extends ResourceMessage, Extra>(schema: GenMessage<M>): Codec<M, Extra> {
  const spec = partOf(schema, 'spec')
  const status = partOf(schema, 'status')
  const toMessage = (stored: Stored<M, Extra>): M =>
    create(
      schema as DescMessage,
      {
        id: stored.id,
        project: stored.project,
        name: stored.name,
        labels: stored.labels,
        annotations: stored.annotations,
        spec: stored.spec,
        status: stored.status,
        generation: BigInt(stored.generation),
        etag: etagOf(stored),
        host: stored.host,
        createTime: timestampFromDate(stored.createTime),
        updateTime: timestampFromDate(stored.updateTime),
        ...(stored.deleteTime === null ? {} : { deleteTime: timestampFromDate(stored.deleteTime) }),
        creator: stored.creator,
      } as never,
    ) as M
  return {
    fromRow: (row) => ({
      ...row,
      spec: fromJson(spec, row.spec, { ignoreUnknownFields: true }) as NonNullable<M['spec']>,
      status: fromJson(status, row.status, { ignoreUnknownFields: true }) as NonNullable<M['status']>,
      extra: Object.fromEntries(Object.entries(row).filter(([key]) => !common.has(key))) as Extra,
    }),
    toMessage,
    toJson: (stored) => toJson(schema, toMessage(stored)) as JsonObject,
    specJson: (value) => toJson(spec, value) as JsonObject,
    statusJson: (value) => toJson(status, value) as JsonObject,
  }
}

/** The etag speaks of the spec alone, so a change of status never makes an update stale. */
export function etagOf(row: { generation: number }): string {
  return String(row.generation)
}

function partOf(schema: DescMessage, name: string): DescMessage {
  const field = schema.fields.find((candidate) => candidate.name === name)
  if (field?.message === undefined) throw new TypeError(`${schema.typeName} has no message field ${name}`)
  return field.message
}

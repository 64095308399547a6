import type { JsonObject } from '@berth/db'
import { type Event, EventSchema } from '@berth/proto/berth/event/v1/event_pb.ts'
import { create, toJsonString } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'

/** A row of the outbox that has its place. */
export type Sequenced = {
  id: string
  seq: number
  project: string
  kind: string
  resourceId: string
  verb: string
  generation: number
  actor: string
  resource: JsonObject
  createTime: Date
}

/** The public form of a row. */
export function eventMessage(service: string, row: Sequenced): Event {
  return create(EventSchema, {
    id: row.id,
    seq: BigInt(row.seq),
    service,
    project: row.project,
    kind: row.kind,
    resourceId: row.resourceId,
    verb: row.verb,
    generation: BigInt(row.generation),
    time: timestampFromDate(row.createTime),
    resource: row.resource,
    actor: row.actor,
  })
}

/** `berth.<project>.<kind>.<id>.<verb>` */
export function subjectOf(row: Sequenced): string {
  return `berth.${row.project}.${row.kind}.${row.resourceId}.${row.verb}`
}

/** CloudEvents attributes (NATS protocol binding, binary mode). */
export function headersOf(service: string, row: Sequenced): Record<string, string> {
  return {
    'ce-specversion': '1.0',
    'ce-id': row.id,
    'ce-source': `/berth/${service}`,
    'ce-type': `dev.berth.${row.kind}.${row.verb}`,
    'ce-subject': row.resourceId,
    'ce-time': row.createTime.toISOString(),
    'content-type': 'application/json',
  }
}

export function bodyOf(service: string, row: Sequenced): string {
  return toJsonString(EventSchema, eventMessage(service, row))
}

/** A row as `to_jsonb` gives it. */
export function decodeRow(row: Record<string, unknown>): Sequenced {
  return {
    id: String(row['id']),
    seq: Number(row['seq']),
    project: String(row['project']),
    kind: String(row['kind']),
    resourceId: String(row['resource_id']),
    verb: String(row['verb']),
    generation: Number(row['generation']),
    actor: String(row['actor']),
    resource: row['resource'] as JsonObject,
    createTime: new Date(String(row['create_time'])),
  }
}

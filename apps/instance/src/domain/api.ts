import type { Host, Instance, WatchInstancesResponse } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import type { Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { Decision, Target } from './power.ts'
import type { Agent, ConsolePiece, ConsoleRange } from './ports.ts'
import type { HostLimits } from './spec.ts'

/** One mutating call, for its request id. */
export type Call<D extends DescMessage> = {
  caller: { actor: string; project: string }
  method: string
  schema: D
  message: MessageShape<D>
}

/** What a mutating call answers; the resource is undefined when a repeated call finds it gone. */
export type Accepted = { resource: Instance | undefined; operation: Operation | undefined }

export type NewInstance = Pick<Instance, 'name' | 'labels' | 'annotations' | 'host'> & { id: string; spec: NonNullable<Instance['spec']> }

/** Instances as the routes see them. */
export interface Instances {
  get(project: string, reference: string): Promise<Instance>
  list(
    project: string,
    page: { pageSize: number; pageToken: string; filter: string },
  ): Promise<{ instances: Instance[]; nextPageToken: string }>
  watch(request: {
    project: string
    filter: string
    resumeToken: string
    signal: AbortSignal
  }): AsyncIterable<Pick<WatchInstancesResponse, 'type' | 'instance' | 'resumeToken'>>
  newId(): string
  create<D extends DescMessage>(call: Call<D>, instance: NewInstance): Promise<Accepted>
  change<D extends DescMessage>(
    call: Call<D>,
    target: { reference: string; etag?: string },
    decide: (target: Target) => Decision,
  ): Promise<Accepted>
}

/** Hosts as the routes see them. */
export interface Hosts {
  readonly local: string
  list(): Promise<Host[]>
  /** What a host can do. @throws NotFound(`HOST_NOT_FOUND`) */
  limits(hostId: string): Promise<HostLimits>
  /** Address of a host's instance service; undefined when its lease is old. */
  address(hostId: string): Promise<string | undefined>
}

/** The guests of this host. */
export interface Guests {
  /** The agent's session. @throws FailedPrecondition(`INSTANCE_NOT_RUNNING` | `AGENT_NOT_READY`) */
  agent(instance: Instance, signal: AbortSignal): Promise<Agent>
  /** Console bytes; with `follow` over restarts, until the instance is gone. */
  console(instance: Instance, range: ConsoleRange, signal: AbortSignal): AsyncIterable<ConsolePiece>
}

/** What the audit of this host's slice found. */
export type Finding = { side: 'host-only' | 'database-only' | 'mismatch'; kind: string; name: string; resourceId: string; message: string }
/** An instance, and what other services of this host must have for it. */
export type AuditedOwner = { id: string; expected: { service: string; slot: string }[] }
export interface Auditor {
  audit(signal: AbortSignal): Promise<{ findings: Finding[]; compared: Record<string, number>; owners: AuditedOwner[] }>
}

import { unavailable } from '@berth/errors'
import type { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import type { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import type { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import type { CallOptions, Client, HandlerContext } from '@connectrpc/connect'

/** What the merging routes need of one of the five services. */
export type PeerClients = {
  name: string
  operations: Client<typeof OperationService>
  events: Client<typeof EventService>
  audit: Client<typeof AuditService>
  headersFor(ctx: HandlerContext): Promise<Record<string, string>>
}

/** Options of a call to a peer that is part of the call at hand. */
export async function callOptions(peer: PeerClients, ctx: HandlerContext, timeoutMs?: number): Promise<CallOptions> {
  return { headers: await peer.headersFor(ctx), signal: ctx.signal, timeoutMs: timeoutMs ?? ctx.timeoutMs() }
}

/** Asks all peers at once; the first that fails fails the whole, an unreachable one by its name. */
export async function askAll<T>(peers: PeerClients[], ask: (peer: PeerClients) => Promise<T>): Promise<T[]> {
  if (peers.length === 0) throw unavailable('SERVICE_UNAVAILABLE', 'no service is known')
  return Promise.all(peers.map(ask))
}

import { invalidArgument, notFound } from '@berth/errors'
import { type Operation, OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { callerOf, defaultLimits, type ServiceEntry, service, unaryTimeoutMs } from '@berth/rpc'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext } from '@connectrpc/connect'
import { mergeLists, type Position, start } from '../domain/merge-lists.ts'
import { readToken, writeToken } from '../domain/position.ts'
import { askAll, callOptions, type PeerClients } from './peers.ts'

const ownerOfPrefix: Record<string, string> = { insop: 'instance', volop: 'volume', imgop: 'image', netop: 'network', devop: 'device' }
const order = { id: ({ id }: Operation) => id, timeMs: ({ createTime }: Operation) => (createTime ? timestampMs(createTime) : 0) }

/** Operations of all services: one goes to the service its id names, lists are merged by time and id. */
export function operationRoutes(peers: PeerClients[]): ServiceEntry {
  return service(OperationService, {
    async getOperation(request, ctx) {
      const peer = ownerOf(peers, request.id)
      return peer.operations.getOperation(request, await callOptions(peer, ctx))
    },
    async waitOperation(request, ctx) {
      const peer = ownerOf(peers, request.id)
      return peer.operations.waitOperation(request, await callOptions(peer, ctx, unaryTimeoutMs(defaultLimits, ctx.timeoutMs(), request)))
    },
    async *watchOperation(request, ctx) {
      const peer = ownerOf(peers, request.id)
      yield* peer.operations.watchOperation(request, await callOptions(peer, ctx))
    },
    async cancelOperation(request, ctx) {
      const peer = ownerOf(peers, request.id)
      return peer.operations.cancelOperation(request, await callOptions(peer, ctx))
    },
    listOperations: ({ pageSize, pageToken, filter }, ctx) => list(peers, { size: pageSize, token: pageToken, filter }, ctx),
  })
}

function ownerOf(peers: PeerClients[], id: string): PeerClients {
  const name = ownerOfPrefix[id.split('_')[0] ?? '']
  const peer = peers.find((candidate) => candidate.name === name)
  if (!peer) throw notFound('OPERATION_NOT_FOUND', `no operation “${id}”`, { field: 'id' })
  return peer
}

type Asked = { size: number; token: string; filter: string }

async function list(
  peers: PeerClients[],
  { size, token, filter }: Asked,
  ctx: HandlerContext,
): Promise<{ operations: Operation[]; nextPageToken: string }> {
  const pageSize = size === 0 ? 100 : Math.min(size, 1000)
  const scope = JSON.stringify(['operations', callerOf(ctx).project, filter])
  const positions = readPositions(token, scope)
  const sources = await askAll(peers, async (peer) => {
    const options = await callOptions(peer, ctx)
    return {
      name: peer.name,
      position: positions[peer.name] ?? start,
      async fetch(pageToken: string) {
        const page = await peer.operations.listOperations({ pageSize, pageToken, filter }, options)
        return { items: page.operations, nextToken: page.nextPageToken }
      },
    }
  })
  const merged = await mergeLists(sources, pageSize, order)
  const over = Object.values(merged.positions).every(({ done }) => done)
  return { operations: merged.items, nextPageToken: over ? '' : writeToken(merged.positions, scope) }
}

function readPositions(token: string, scope: string): Record<string, Position> {
  if (token === '') return {}
  const positions = readToken(token, scope)
  if (!positions) throw invalidArgument('BAD_PAGE_TOKEN', 'page_token is not one of this list with this filter', { field: 'page_token' })
  return positions as Record<string, Position>
}

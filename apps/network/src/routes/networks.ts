import type { Network, NetworkService, Port } from '@berth/proto/berth/network/v1/network_pb.ts'
import { callerOf } from '@berth/rpc'
import type { ServiceImpl } from '@connectrpc/connect'
import type { Shelf } from '../domain/work.ts'

/** The project's networks and ports, for whoever may look. */
export function networkRoutes(networks: Shelf<Network>, ports: Shelf<Port>): ServiceImpl<typeof NetworkService> {
  return {
    async getNetwork({ id }, ctx) {
      return { network: await networks.get(callerOf(ctx).project, id) }
    },
    async listNetworks(request, ctx) {
      const { items, nextPageToken } = await networks.list(callerOf(ctx).project, request)
      return { networks: items, nextPageToken }
    },
    async *watchNetworks({ filter, resumeToken }, ctx) {
      const { project } = callerOf(ctx)
      for await (const { type, resource, resumeToken: token } of networks.watch({ project, filter, resumeToken, signal: ctx.signal })) {
        yield { type, network: resource, resumeToken: token }
      }
    },
    async getPort({ id }, ctx) {
      return { port: await ports.get(callerOf(ctx).project, id) }
    },
    async listPorts(request, ctx) {
      const { items, nextPageToken } = await ports.list(callerOf(ctx).project, request)
      return { ports: items, nextPageToken }
    },
    async *watchPorts({ filter, resumeToken }, ctx) {
      const { project } = callerOf(ctx)
      for await (const { type, resource, resumeToken: token } of ports.watch({ project, filter, resumeToken, signal: ctx.signal })) {
        yield { type, port: resource, resumeToken: token }
      }
    },
  }
}

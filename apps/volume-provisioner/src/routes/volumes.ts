import type { VolumeService, Volume, WatchVolumesRequest, WatchVolumesResponse_Type } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { callerOf } from '@berth/rpc'
import type { ServiceImpl } from '@connectrpc/connect'
import { checkRoom } from '../domain/size.ts'
import type { PublicVolumes, StorageBackend } from '../domain/ports.ts'

export type VolumeRoutes = {
  volumes: PublicVolumes
  backend: StorageBackend
  /** Id of this host. */
  hostId: string
  watch(request: {
    project: string
    filter: string
    resumeToken: string
    signal: AbortSignal
  }): AsyncIterable<{ type: WatchVolumesResponse_Type; resource: Volume | undefined; resumeToken: string }>
}

/** The public calls. */
export function volumeRoutes({ volumes, backend, hostId, watch }: VolumeRoutes): ServiceImpl<typeof VolumeService> {
  return {
    async getVolume({ id }, ctx) {
      return { volume: await volumes.get(callerOf(ctx).project, id) }
    },
    async listVolumes(request, ctx) {
      return volumes.list(callerOf(ctx).project, request)
    },
    async *watchVolumes({ filter, resumeToken: from }: WatchVolumesRequest, ctx) {
      for await (const { type, resource, resumeToken } of watch({
        project: callerOf(ctx).project,
        filter,
        resumeToken: from,
        signal: ctx.signal,
      })) {
        yield { type, volume: resource, resumeToken }
      }
    },
    async createVolume(request, ctx) {
      // Told at once where it can be; another host's pool speaks through the operation.
      if (request.host === '' || request.host === hostId) checkRoom(backend.pool, await backend.room(), Number(request.sizeBytes))
      const { resource, operation } = await volumes.create(callerOf(ctx), request)
      return { volume: resource, operation }
    },
    async deleteVolume(request, ctx) {
      const { resource, operation } = await volumes.delete(callerOf(ctx), request)
      return { volume: resource, operation }
    },
  }
}

import { ImageService, WatchImagesResponseSchema } from '@berth/proto/berth/image/v1/image_pb.ts'
import { callerOf } from '@berth/rpc'
import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { parseReference } from '../domain/reference.ts'
import type { RouteContext } from './context.ts'

/** ImageService: images of the caller's project. */
export function imageRoutes({ images }: RouteContext): ServiceImpl<typeof ImageService> {
  return {
    getImage: async ({ id }, context) => ({ image: await images.get(callerOf(context).project, id) }),

    async listImages(request, context) {
      const { items, nextPageToken } = await images.list(callerOf(context).project, request)
      return { images: items, nextPageToken }
    },

    async *watchImages(request, context) {
      for await (const { type, resource, resumeToken } of images.watch(callerOf(context).project, request, context.signal)) {
        yield create(WatchImagesResponseSchema, { type, image: resource, resumeToken })
      }
    },

    async pullImage(request, context) {
      parseReference(request.reference)
      return images.pull(callerOf(context), request)
    },

    deleteImage: (request, context) => images.delete(callerOf(context), request),
  }
}

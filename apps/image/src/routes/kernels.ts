import { KernelService, WatchKernelsResponseSchema } from '@berth/proto/berth/image/v1/image_pb.ts'
import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import type { RouteContext } from './context.ts'

/** KernelService: the operator's kernels, the same for every project. */
export function kernelRoutes({ kernels }: RouteContext): ServiceImpl<typeof KernelService> {
  return {
    getKernel: async ({ id }) => ({ kernel: await kernels.get(id) }),

    async listKernels(request) {
      const { items, nextPageToken } = await kernels.list(request)
      return { kernels: items, nextPageToken }
    },

    async *watchKernels(request, context) {
      for await (const { type, resource, resumeToken } of kernels.watch(request, context.signal)) {
        yield create(WatchKernelsResponseSchema, { type, kernel: resource, resumeToken })
      }
    },
  }
}

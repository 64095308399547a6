import { GrantSchema } from '@berth/proto/berth/common/v1/resource_pb.ts'
import { type EnsureImageRequest, ImageHostService } from '@berth/proto/berth/image/host/v1/image_host_pb.ts'
import { callerOf } from '@berth/rpc'
import { invalidArgument } from '@berth/errors'
import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { ensureImage } from '../domain/ensure-image.ts'
import type { Owner, RouteContext } from './context.ts'

/** ImageHostService: roots and kernels for the other services of this host. */
export function hostRoutes(ctx: RouteContext): ServiceImpl<typeof ImageHostService> {
  const grant = (path: string) => create(GrantSchema, { target: { case: 'path', value: path }, readOnly: true, epoch: ctx.epoch })
  return {
    async ensureImage(request, context) {
      const { project, reference: text } = request
      const actor = request.actor || callerOf(context).actor
      const held = await ensureImage(ctx.ensure, { owner: ownerOf(request), project, actor, text }, context.signal)
      const { image, ready, digest, operationId, doneBytes, totalBytes } = held
      if (!ready) return { image, ready, operationId, doneBytes: BigInt(doneBytes), totalBytes: BigInt(totalBytes) }
      return { image, ready, root: grant(ctx.rootPath(digest)) }
    },

    async releaseImage(request, context) {
      await ctx.images.release(ownerOf(request), context.signal)
      return {}
    },

    async ensureKernel({ kernel: reference }) {
      const { kernel, kernelPath, initramfsPath } = await ctx.kernels.grant(reference)
      return { kernel, kernelFile: grant(kernelPath), initramfs: grant(initramfsPath) }
    },
  }
}

function ownerOf({ owner }: Pick<EnsureImageRequest, 'owner'>): Owner {
  if (!owner) throw invalidArgument('OWNER_MISSING', 'an owner is needed', { field: 'owner' })
  return { kind: owner.kind, id: owner.id, slot: owner.slot }
}

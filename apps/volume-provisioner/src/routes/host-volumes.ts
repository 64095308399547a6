import { invalidArgument } from '@berth/errors'
import type { EnsureVolumeRequest, VolumeHostService } from '@berth/proto/berth/volume/host/v1/volume_host_pb.ts'
import type { Owner } from '@berth/proto/berth/common/v1/resource_pb.ts'
import type { ServiceImpl } from '@connectrpc/connect'
import { type EnsureContext, ensureDisk, releaseDisk, type Source } from '../domain/ensure-disk.ts'

/** The calls of the host's other services. */
export function hostVolumeRoutes(ensure: EnsureContext & { epoch: number }): ServiceImpl<typeof VolumeHostService> {
  return {
    async ensureVolume(request, ctx) {
      const { project, actor, uid, readOnly } = request
      const claim = { owner: ownerOf(request), project, actor, uid, readOnly }
      const { volume, path } = await ensureDisk(ensure, claim, sourceOf(request), ctx.signal)
      return { volume, grant: { target: { case: 'path', value: path }, readOnly, epoch: BigInt(ensure.epoch) } }
    },
    async detachVolume(request, ctx) {
      await releaseDisk(ensure, ownerOf(request), { remove: false }, ctx.signal)
      return {}
    },
    async releaseVolume(request, ctx) {
      await releaseDisk(ensure, ownerOf(request), { remove: true }, ctx.signal)
      return {}
    },
  }
}

function sourceOf({ source }: EnsureVolumeRequest): Source {
  if (source.case === 'scratch') return { case: 'scratch', sizeBytes: Number(source.value.sizeBytes) }
  if (source.case === 'volume') return { case: 'volume', reference: source.value }
  throw missing('source')
}

function ownerOf({ owner }: { owner?: Owner | undefined }) {
  if (!owner) throw missing('owner')
  return { kind: owner.kind, id: owner.id, slot: owner.slot }
}

function missing(field: string) {
  return invalidArgument('FIELD_MISSING', `${field} is missing`, { field })
}

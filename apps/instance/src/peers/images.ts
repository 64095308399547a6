import { ImageHostService } from '@berth/proto/berth/image/host/v1/image_host_pb.ts'
import { failedPrecondition } from '@berth/errors'
import { clientOf } from '@berth/rpc'
import type { Holder, Images } from '../domain/peers.ts'
import { signalNumber } from '../domain/signals.ts'
import { grantedPath, ownerOf, type PeerTransport } from './owner.ts'

const slots = { image: 'root', kernel: 'kernel' } as const

/** The image service of this host, over gRPC. */
export function images(transport: PeerTransport): Images {
  const client = clientOf(ImageHostService, transport)
  return {
    async ensure(holder, reference, signal) {
      const owner = ownerOf(holder, slots.image)
      const { ready, image, root, operationId, doneBytes, totalBytes } = await client.ensureImage(
        { owner, project: holder.project, actor: holder.actor, reference },
        { signal },
      )
      if (!ready) return { operationId, done: Number(doneBytes), total: Number(totalBytes || (image?.status?.compressedSizeBytes ?? 0n)) }
      const config = image?.status?.config
      if (!image?.status || !config) throw failedPrecondition('IMAGE_NOT_READY', 'the image service says ready but gives no configuration')
      const { entrypoint, cmd, env, user, workingDir, stopSignal } = config
      return {
        id: image.id,
        digest: image.status.digest,
        rootPath: grantedPath(root),
        config: { entrypoint, cmd, env, user, workingDir, stopSignal: signalNumber(stopSignal) ?? 0 },
      }
    },
    async ensureKernel(holder, kernel, signal) {
      const answer = await client.ensureKernel({ owner: ownerOf(holder, slots.kernel), kernel }, { signal })
      return {
        kernelPath: grantedPath(answer.kernelFile),
        initramfsPath: grantedPath(answer.initramfs),
        version: answer.kernel?.spec?.version ?? '',
        digest: `${answer.kernel?.status?.kernelDigest} ${answer.kernel?.status?.initramfsDigest}`,
      }
    },
    async release(holder: Holder, signal) {
      for (const slot of Object.values(slots)) await client.releaseImage({ owner: ownerOf(holder, slot) }, { signal })
    },
  }
}

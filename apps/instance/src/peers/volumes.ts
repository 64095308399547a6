import { VolumeHostService } from '@berth/proto/berth/volume/host/v1/volume_host_pb.ts'
import { clientOf } from '@berth/rpc'
import type { Volumes } from '../domain/peers.ts'
import { grantedPath, ownerOf, type PeerTransport } from './owner.ts'

/** The volume service of this host, over gRPC. */
export function volumes(transport: PeerTransport): Volumes {
  const client = clientOf(VolumeHostService, transport)
  return {
    async ensure(holder, slot, source, signal) {
      const { project, actor, uid } = holder
      const wanted =
        'volume' in source
          ? { source: { case: 'volume', value: source.volume } as const, readOnly: source.readOnly }
          : { source: { case: 'scratch', value: { sizeBytes: BigInt(source.scratchBytes) } } as const }
      const { grant } = await client.ensureVolume({ owner: ownerOf(holder, slot), project, actor, uid, ...wanted }, { signal })
      return grantedPath(grant)
    },
    async detach(holder, slot, signal) {
      await client.detachVolume({ owner: ownerOf(holder, slot) }, { signal })
    },
    async release(holder, slot, signal) {
      await client.releaseVolume({ owner: ownerOf(holder, slot) }, { signal })
    },
  }
}

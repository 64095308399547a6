import { NetworkHostService } from '@berth/proto/berth/network/host/v1/network_host_pb.ts'
import { failedPrecondition } from '@berth/errors'
import { clientOf } from '@berth/rpc'
import type { Networks } from '../domain/peers.ts'
import { grantedTap, ownerOf, type PeerTransport } from './owner.ts'

/** The network service of this host, over gRPC. */
export function networks(transport: PeerTransport): Networks {
  const client = clientOf(NetworkHostService, transport)
  return {
    async ensure(holder, slot, { network, up }, signal) {
      const { project, actor, uid, name: hostname } = holder
      const { port, grant, guest } = await client.ensurePort(
        { owner: ownerOf(holder, slot), project, actor, network, uid, up, hostname },
        { signal },
      )
      if (!port || !guest) throw failedPrecondition('BAD_GRANT', 'the network service gave no port')
      return { portId: port.id, networkId: port.spec?.networkId ?? '', tap: grantedTap(grant), guest }
    },
    async release(holder, slot, signal) {
      await client.releasePort({ owner: ownerOf(holder, slot) }, { signal })
    },
  }
}

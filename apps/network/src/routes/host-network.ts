import { invalidArgument } from '@berth/errors'
import type { NetworkHostService } from '@berth/proto/berth/network/host/v1/network_host_pb.ts'
import type { ServiceImpl } from '@connectrpc/connect'
import type { Owner } from '../domain/owner.ts'
import type { NetworkWork } from '../domain/work.ts'

/** The calls of the host's other services. */
export function hostNetworkRoutes(work: NetworkWork): ServiceImpl<typeof NetworkHostService> {
  return {
    async ensureNetwork({ project, network }, ctx) {
      return { network: await work.ensureNetwork({ project, reference: network, actor: '' }, ctx.signal) }
    },
    async ensurePort({ owner, project, actor, network, uid, up, hostname }, ctx) {
      const wish = { owner: ownerOf(owner), project, actor, reference: network, uid, up, hostname }
      const { port, tap, guest } = await work.ensurePort(wish, ctx.signal)
      return { port, guest, grant: { target: { case: 'tap', value: tap }, readOnly: false, epoch: BigInt(work.epoch) } }
    },
    async releasePort({ owner }, ctx) {
      await work.releasePort(ownerOf(owner), ctx.signal)
      return {}
    },
  }
}

function ownerOf(owner: Owner | undefined): Owner {
  if (!owner) throw invalidArgument('FIELD_MISSING', 'owner is missing', { field: 'owner' })
  return { kind: owner.kind, id: owner.id, slot: owner.slot }
}

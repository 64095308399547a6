import type { NetworkWork } from '../domain/work.ts'
import { audit } from './audit.ts'
import type { NetworkContext } from './context.ts'
import { ensureNetwork } from './ensure-network.ts'
import { ensurePort } from './ensure-port.ts'
import { releasePort } from './release-port.ts'

/** What the routes may ask, on this context. */
export function networkWork(ctx: NetworkContext): NetworkWork {
  const { stores, lease } = ctx
  return {
    hostId: lease.hostId,
    epoch: lease.epoch,
    async ensureNetwork(wish, signal) {
      const { network } = await ensureNetwork(ctx, wish, signal)
      return stores.networks.toMessage((await stores.networks.byId(network.id)) ?? network)
    },
    ensurePort: (wish, signal) => ensurePort(ctx, wish, signal),
    releasePort: (owner, signal) => releasePort(ctx, owner, signal),
    audit: (signal) => audit(ctx, signal),
  }
}

import type { Drift } from '../domain/host-network.ts'
import type { Audited } from '../domain/work.ts'
import { type NetworkContext, readHost } from './context.ts'

/** Compares this host with its rows in both directions; changes nothing. A port that is being made meanwhile is reported as it is: half made. */
export async function audit(ctx: NetworkContext, signal: AbortSignal): Promise<Audited> {
  const { config, places, ports } = await readHost(ctx)
  const [links, processes] = await Promise.all([ctx.host.inspect(config, signal), ctx.dns.inspect(config.bridges)])
  const lost = ports
    .filter(({ deleteTime }) => deleteTime !== null)
    .map(({ id, extra }): Drift => {
      return {
        side: 'database-only',
        kind: 'tap',
        name: extra.tap,
        resourceId: id,
        message: `port ${id} was released and is still being taken back`,
      }
    })
  // A network that has no DNS for a reason that is known and said is no disagreement.
  const said = new Set(places.filter(({ message }) => message !== '').map(({ networkId }) => networkId))
  const silent = processes.drift.filter(({ side, resourceId }) => side === 'host-only' || !said.has(resourceId))
  return {
    drift: [...links.drift, ...silent, ...lost],
    held: ports.map(({ id, extra }) => ({ ownerId: extra.ownerId, slot: extra.ownerSlot, portId: id })),
    compared: { ...links.compared, ...processes.compared, row: places.length + ports.length },
  }
}

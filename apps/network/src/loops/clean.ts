import type { LookOptions, Orphan, Slice } from '@berth/controller/audit/clean-host'
import type { Drift } from '../domain/host-network.ts'
import { bridgeConfigOf } from '../store/network-hosts.ts'
import { portConfigOf } from '../store/ports.ts'
import { type NetworkContext, readHost } from './context.ts'

/** No tap outlives its rules, and nothing that points to a guest its tap. */
const order: readonly Drift['kind'][] = ['process', 'tap', 'bridge', 'rule', 'address', 'folder']

/** The clean-up of this host's networking: whole-host work, so that no port is made meanwhile. */
export function cleaning(ctx: NetworkContext, sure: () => Promise<void>): Slice {
  return {
    service: 'network',
    hostId: ctx.lease.hostId,
    sure,
    orphans: (options, signal) => orphans(ctx, options, signal),
    exclusively: (_signal, work) => ctx.gate.whole(work),
    logger: ctx.logger,
  }
}

/**
 * What is on the host for no row of this host. Ports that are being taken back have their rows still: their releases remove what is theirs. While a
 * process has a tap open that no port has, a VM uses it, and rules and neighbours without rows may be that VM's.
 */
async function orphans(ctx: NetworkContext, { includeRunning, planning }: LookOptions, signal: AbortSignal): Promise<Orphan[]> {
  const { places, ports } = await readHost(ctx)
  const bridgeOf = new Map(places.map(({ networkId, bridge }) => [networkId, bridge]))
  const all = ports.map((row) => portConfigOf(row, bridgeOf.get(row.extra.networkId) ?? ''))
  const config = { names: ctx.names, bridges: places.map(bridgeConfigOf), ports: all }
  const [links, processes, open] = await Promise.all([
    ctx.host.inspect(config, signal),
    ctx.dns.inspect(config.bridges),
    ctx.host.tapsInUse(),
  ])
  const drift = [...links.drift, ...processes.drift].filter(({ side }) => side === 'host-only')
  const used = drift.find(({ kind, name }) => kind === 'tap' && open.has(name))
  const inUse = used && !(includeRunning && planning) ? `process ${open.get(used.name)} has ${used.name} open` : undefined
  return drift
    .toSorted((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind))
    .map((one) => ({
      kind: one.kind,
      name: one.name,
      keep: inUse ?? (one.undo ? undefined : 'it bears no mark of this host'),
      remove: (until) => (one.kind === 'process' ? ctx.dns.discard(one) : ctx.host.discard(one, until)),
    }))
}

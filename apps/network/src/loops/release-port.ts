import { aborted } from '@berth/errors'
import { keyOf, type Owner } from '../domain/owner.ts'
import { findNetworkHost } from '../store/network-hosts.ts'
import { findPort, markPort, portConfigOf, removePort } from '../store/ports.ts'
import type { PortRow } from '../store/stores.ts'
import type { NetworkContext } from './context.ts'
import { releaseStep } from './steps.ts'

/** Takes the owner's port back; OK when it has none. */
export async function releasePort(ctx: NetworkContext, owner: Owner, signal: AbortSignal): Promise<void> {
  // A port that is still being made is not waited for.
  ctx.gate.interrupt(keyOf(owner), aborted('PORT_RELEASED', 'the port was released while it was being made'))
  await ctx.gate.shared(keyOf(owner), signal, async (until) => {
    const row = await findPort(ctx.stores, owner)
    if (!row || row.host !== ctx.names.host) return
    if (row.deleteTime === null) await releaseStep('mark', until, () => markPort(ctx.stores, ctx.lease, row.id, 'berth-network'))
    await finishRelease(ctx, row, until)
  })
}

/** The rest of a release: the tap goes first, then its rules, and the row last, so that no address is given twice while a tap still uses it. */
export async function finishRelease(ctx: NetworkContext, row: PortRow, signal: AbortSignal): Promise<void> {
  const { host, names, dns, stores, lease } = ctx
  const place = await findNetworkHost(stores, row.extra.networkId, names.host)
  const port = portConfigOf(row, place?.bridge ?? '')
  if (place) {
    await releaseStep('tap', signal, () => host.removeTap(port, signal))
    await releaseStep('rules', signal, () => host.removeRules(names, port, signal))
    await releaseStep('dns', signal, () => dns.dropGuest(port.bridge, port.tap))
  }
  await releaseStep('remove', signal, () => removePort(stores, lease, row))
}

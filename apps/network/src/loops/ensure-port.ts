import { checkHostname, guestDomain } from '../domain/dnsmasq.ts'
import { ipv6Gateway } from '../domain/host-network.ts'
import { parseCidr } from '../domain/cidr.ts'
import { keyOf } from '../domain/owner.ts'
import type { PortAnswer, PortWish } from '../domain/work.ts'
import { bridgeConfigOf } from '../store/network-hosts.ts'
import { changePort, findPort, insertPort, isReady, portConfigOf, setPortState } from '../store/ports.ts'
import type { PortRow } from '../store/stores.ts'
import type { NetworkHostRow } from '../store/tables.ts'
import type { NetworkContext } from './context.ts'
import { convergeOnce } from './converge.ts'
import { ensureNetwork } from './ensure-network.ts'
import { finishRelease } from './release-port.ts'
import { ensureStep } from './steps.ts'

/**
 * Gives the owner its port as wished: the row first, then the tap, and up only after rules and names. When its bridge has
 * been deleted under it the host is repaired, and the port is made once more.
 */
export async function ensurePort(ctx: NetworkContext, wish: PortWish, signal: AbortSignal): Promise<PortAnswer> {
  checkHostname(wish.hostname)
  const { place } = await ensureNetwork(ctx, wish, signal)
  try {
    return await ensureOn(ctx, place, wish, signal)
  } catch (error) {
    if (signal.aborted || (await ctx.host.hasLink(place.bridge))) throw error
    ctx.logger.warn({ err: error, bridge: place.bridge }, 'the bridge of a port was deleted under it; the host is repaired')
    await convergeOnce(ctx, signal)
    return ensureOn(ctx, place, wish, signal)
  }
}

function ensureOn(ctx: NetworkContext, place: NetworkHostRow, wish: PortWish, signal: AbortSignal): Promise<PortAnswer> {
  return ctx.gate.shared(keyOf(wish.owner), signal, async (until) => {
    const row = await recorded(ctx, place, wish, until)
    const made = await makePort(ctx, place, row, wish.up, until)
    return { port: ctx.stores.ports.toMessage(made), tap: made.extra.tap, guest: await guestOf(ctx, place, made) }
  })
}

async function recorded(ctx: NetworkContext, place: NetworkHostRow, wish: PortWish, signal: AbortSignal): Promise<PortRow> {
  const { stores, lease, names, random } = ctx
  const found = await findPort(stores, wish.owner)
  if (found && (found.deleteTime !== null || found.extra.networkId !== place.networkId)) {
    await finishRelease(ctx, found, signal)
  } else if (found) {
    const { uid, hostname } = wish
    if (found.extra.uid === uid && found.extra.hostname === hostname) return found
    // A tap keeps its owner for life.
    if (found.extra.uid !== uid) await ctx.host.removeTap(portConfigOf(found, place.bridge), signal)
    return (await changePort(stores, lease, found.id, wish.actor, { uid, hostname })) ?? found
  }
  return ensureStep('record', signal, () => insertPort(stores, lease, place, wish, names, random))
}

/**
 * Makes a recorded port real. A port that stays down is its tap alone: rules, names and what else a guest's packets need are written each time it
 * goes up, and before it does. Whether it should be up is written together with the result: a tap that went up without that is taken down again by
 * the comparison, and its rules stand in either case.
 */
async function makePort(ctx: NetworkContext, place: NetworkHostRow, row: PortRow, up: boolean, signal: AbortSignal): Promise<PortRow> {
  const { host, names, dns, stores, lease } = ctx
  const bridge = bridgeConfigOf(place)
  const port = { ...portConfigOf(row, bridge.bridge), up }
  try {
    // A port that is ready and has its tap is only taken up or down; whether its tap is as it should be is the comparison's matter.
    const made = isReady(row) && up && (await host.hasLink(port.tap))
    if (!made) await ensureStep('tap', signal, () => host.ensureTap(names, port, signal))
    if (up) {
      await ensureStep('rules', signal, () => host.ensureRules(names, bridge, port, signal))
      await ensureStep('dns', signal, () => dns.setGuest(bridge, { ...port, hostname: row.extra.hostname }))
      await ensureStep('up', signal, () => host.setUp(port, signal))
    }
  } catch (error) {
    await setPortState(stores, lease, row, { failure: 'the host could not make it', up: false }).catch((cause: unknown) => {
      ctx.logger.warn({ err: cause, port: row.id }, 'the state of a port could not be written')
    })
    throw error
  }
  return (await ensureStep('status', signal, () => setPortState(stores, lease, row, { failure: '', up, wantUp: up }))) ?? row
}

async function guestOf(ctx: NetworkContext, place: NetworkHostRow, { extra }: PortRow): Promise<PortAnswer['guest']> {
  const own = place.message === ''
  return {
    macAddress: extra.mac,
    ipv4Cidr: `${extra.ipv4}/${parseCidr(place.ipv4Subnet).length}`,
    ipv4Gateway: place.ipv4Gateway,
    ipv6Cidr: `${extra.ipv6}/128`,
    ipv6Gateway,
    dnsServers: own ? [place.ipv4Gateway] : await ctx.resolvers(),
    dnsSearch: own ? [guestDomain] : [],
    mtu: 0,
  }
}

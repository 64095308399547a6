import { notFound } from '@berth/errors'
import { recordOf } from '../domain/record.ts'
import type { NetworkWish } from '../domain/work.ts'
import { createDefaultNetwork } from '../store/networks.ts'
import { allotNetworkHost, bridgeConfigOf, findNetworkHost, setNetworkHostState } from '../store/network-hosts.ts'
import type { NetworkRow } from '../store/stores.ts'
import type { NetworkHostRow } from '../store/tables.ts'
import { type NetworkContext, readHost } from './context.ts'

const defaultName = 'default'

/**
 * The network, real on this host: place recorded, bridge, rules, DNS.
 *
 * @throws NotFound(`NETWORK_NOT_FOUND`), ResourceExhausted(`NO_FREE_SUBNET`)
 */
export async function ensureNetwork(
  ctx: NetworkContext,
  wish: NetworkWish,
  signal: AbortSignal,
): Promise<{ network: NetworkRow; place: NetworkHostRow }> {
  const network = await findOrMake(ctx, wish)
  const place = await findNetworkHost(ctx.stores, network.id, ctx.names.host)
  if (place && ctx.known.has(network.id)) return { network, place }
  return ctx.gate.whole(async () => {
    const routes = place ? [] : await ctx.host.routes(signal)
    const allotted = place ?? (await allotNetworkHost(ctx.stores, { network, names: ctx.names, routes, random: ctx.random }))
    await makeReal(ctx, allotted, signal)
    return { network, place: (await findNetworkHost(ctx.stores, network.id, ctx.names.host)) ?? allotted }
  })
}

/** Makes a recorded network real and writes down what came of it. To be called as whole-host work. */
async function makeReal(ctx: NetworkContext, place: NetworkHostRow, signal: AbortSignal): Promise<void> {
  const { stores, lease, host, dns, record } = ctx
  if (ctx.known.has(place.networkId)) return
  const { config, places } = await readHost(ctx)
  const bridge = bridgeConfigOf(place)
  await record.write(
    recordOf(
      config,
      places.flatMap(({ accepts }) => accepts),
      [],
    ),
  )
  const accepts = await host.ensureBridge(config, bridge, signal)
  const { running, reason } = await dns.ensure(bridge, { signal })
  if (!running) ctx.logger.warn({ bridge: bridge.bridge, reason }, 'guests have no DNS of their own')
  const processes = (await Promise.all(config.bridges.map((one) => dns.identity(one)))).filter((one) => one !== undefined)
  await record.write(recordOf(config, accepts, processes))
  await setNetworkHostState(stores, lease, place, { message: reason, accepts: accepts.filter((rule) => rule.bridge === bridge.bridge) })
  ctx.known.add(place.networkId)
}

async function findOrMake({ stores, names, random }: NetworkContext, { project, reference, actor }: NetworkWish): Promise<NetworkRow> {
  const found = await stores.networks.find(project, reference || defaultName)
  if (found?.deleteTime === null) return found
  if (found || (reference !== '' && reference !== defaultName)) {
    throw notFound('NETWORK_NOT_FOUND', `no network “${reference || defaultName}”`, {
      field: 'network',
      metadata: { network: reference || defaultName },
    })
  }
  return createDefaultNetwork(stores, { project, actor, name: defaultName, host: names.host, random })
}

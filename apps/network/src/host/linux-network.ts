import { unavailable } from '@berth/errors'
import { heldOpen, type Runner } from '@berth/host'
import { planAccepts, renderAccepts } from '../domain/accepts.ts'
import { compare } from '../domain/compare.ts'
import { addElement, allElements, bridgeElements, dropElement, portElements } from '../domain/elements.ts'
import type { AcceptRule, BridgeConfig, HostConfig, HostNetwork, PortConfig } from '../domain/host-network.ts'
import { renderBridge, renderForwarding, renderGuest, renderGuestRemoval, renderTap, settingsOf } from '../domain/links.ts'
import type { Measured } from '../domain/measured.ts'
import type { HostNames } from '../domain/names.ts'
import { renderStrayChains, renderTables } from '../domain/rules.ts'
import { chainsText, parseRuleset } from '../domain/ruleset.ts'
import { describeHost } from './describe.ts'
import type { HostSettings } from './host-settings.ts'
import { measureHost, readCommand, readRoutes } from './measure.ts'
import { type Settings, settle } from './sysctl.ts'
import { tableDeleted } from './table-deleted.ts'

export type LinuxNetworkOptions = { runner: Runner; settings: Settings; hostSettings: HostSettings }

const timeoutMs = 10_000

/** The host's networking by iproute2 and nft, in the network namespace the runner works in. */
export function linuxNetwork({ runner, settings, hostSettings }: LinuxNetworkOptions): HostNetwork {
  // What our chains look like in nft's own words, from when they were written first: what is listed later may have been changed by others since.
  let chains: string | undefined

  const batch = async (program: 'ip' | 'bridge', lines: string[], signal: AbortSignal, force = false): Promise<void> => {
    const argv = [program, ...(force ? ['-force'] : []), '-batch', '-']
    await runner.run(argv, { timeoutMs, signal, input: `${lines.join('\n')}\n`, okCodes: force ? [0, 1, 2] : [0] })
  }
  const nft = async (lines: string[], signal: AbortSignal): Promise<void> => {
    if (lines.length > 0) await runner.run(['nft', '-f', '-'], { timeoutMs, signal, input: `${lines.join('\n')}\n` })
  }
  const accept = async (names: HostNames, wanted: BridgeConfig[], known: BridgeConfig[], signal: AbortSignal): Promise<AcceptRule[]> => {
    const ruleset = parseRuleset(await readCommand(runner, ['nft', '-j', 'list', 'ruleset'], signal))
    chains ??= chainsText(ruleset, names.table)
    const plan = planAccepts(ruleset, wanted, names)
    await nft(renderAccepts(plan, known), signal)
    return plan.wanted
  }
  const makeBridge = async (names: HostNames, bridge: BridgeConfig, signal: AbortSignal): Promise<void> => {
    await hostSettings.apply()
    const lines = renderBridge(names, bridge, await settings.hasLink(bridge.bridge))
    await batch('ip', lines, signal)
    await settle(settings, settingsOf(bridge.bridge))
  }
  const setUp = ({ tap, up }: PortConfig, signal: AbortSignal) => batch('ip', [`link set dev ${tap} ${up ? 'up' : 'down'}`], signal)
  const makeTap = async (names: HostNames, port: PortConfig, signal: AbortSignal): Promise<void> => {
    await batch('ip', [...renderTap(names, port, await settings.hasLink(port.tap)), ...renderGuest(port)], signal)
  }
  /** Where somebody left tables of our name that ours do not fit into, these go first, in the same transaction. */
  const writeRules = async (config: HostConfig, { ruleset }: Measured, signal: AbortSignal): Promise<void> => {
    const { table } = config.names
    const lines = [renderTables(config.names), ...allElements(config).map((element) => addElement(table, element))]
    const fresh = ['bridge', 'inet'].flatMap((family) => [`add table ${family} ${table}`, `delete table ${family} ${table}`])
    await nft([...lines, ...renderStrayChains(config.names, ruleset)], signal).catch(() => nft([...fresh, ...lines], signal))
  }
  const repair = async (config: HostConfig, signal: AbortSignal): Promise<void> => {
    const { names, bridges, ports } = config
    const before = await measureHost(runner, settings, config, signal)
    const { drift } = compare(config, before, chains)
    // Rules first: no port is made or goes up without them.
    if (chains === undefined || drift.some(({ kind }) => kind === 'rule')) {
      await writeRules(config, before, signal).catch(async (cause: unknown) => {
        // Nobody goes without rules: what cannot have them goes down, and up again with them.
        for (const port of ports) if (before.links.get(port.tap)?.up) await setUp({ ...port, up: false }, signal)
        throw unavailable('RULES_NOT_WRITTEN', 'the rules of this host could not be written, so that every port of it is down', { cause })
      })
    }
    const isOff = (id: string) => drift.some(({ resourceId, kind }) => resourceId === id && kind !== 'rule')
    const broken = bridges.filter(({ networkId }) => isOff(networkId))
    for (const bridge of broken) await makeBridge(names, bridge, signal)
    // What points to a guest is lost with its bridge, also where the comparison still saw it.
    const lost = ports.filter(({ portId, bridge }) => isOff(portId) || broken.some((one) => one.bridge === bridge))
    for (const port of lost) await makeTap(names, port, signal)
    if (lost.length > 0) await batch('bridge', lost.map(renderForwarding), signal)
    for (const port of ports) if (before.links.get(port.tap)?.up !== port.up) await setUp(port, signal)
  }

  return {
    async apply(config, signal) {
      if (config.bridges.length === 0) return []
      await repair(config, signal)
      return accept(config.names, config.bridges, config.bridges, signal)
    },
    async ensureBridge({ names, bridges }, bridge, signal) {
      await makeBridge(names, bridge, signal)
      await nft([renderTables(names), ...bridgeElements(bridge).map((element) => addElement(names.table, element))], signal)
      return accept(names, bridges, bridges, signal)
    },
    hasLink: (name) => settings.hasLink(name),
    ensureTap: makeTap,
    async ensureRules(names, bridge, port, signal) {
      const elements = [...bridgeElements(bridge), ...portElements(port)]
      const lines = [renderTables(names), ...elements.map((element) => addElement(names.table, element))]
      await Promise.all([nft(lines, signal), batch('bridge', [renderForwarding(port)], signal)])
    },
    setUp,
    async removeTap(port, signal) {
      await batch('ip', renderGuestRemoval(port), signal, true)
      if (await settings.hasLink(port.tap)) throw new Error(`tap ${port.tap} is still there`)
    },
    async removeRules(names, port, signal) {
      await nft([renderTables(names), ...portElements(port).map((element) => dropElement(names.table, element))], signal)
    },
    async discard({ undo }, signal) {
      if (undo?.by === 'ip') await batch('ip', undo.lines, signal, true)
      if (undo?.by === 'nft') await nft(undo.lines, signal)
    },
    tapsInUse: async () => (await heldOpen()).taps,
    async inspect(config, signal) {
      return compare(config, await measureHost(runner, settings, config, signal), chains)
    },
    tableDeleted: (signal) => tableDeleted(runner, signal),
    routes: (signal) => readRoutes(runner, signal),
    async describe(config, signal) {
      return describeHost(config, await measureHost(runner, settings, config, signal))
    },
    async cleanUp({ names, bridges, ports }, signal) {
      const links = bridges.flatMap(({ bridge, ipv6Subnet }) => [
        `link del dev ${bridge}`,
        `route del unreachable ${ipv6Subnet} dev lo metric 4096`,
      ])
      await batch('ip', [...ports.flatMap(renderGuestRemoval), ...links], signal, true)
      await accept(names, [], bridges, signal)
      await nft(
        ['bridge', 'inet'].flatMap((family) => [`add table ${family} ${names.table}`, `delete table ${family} ${names.table}`]),
        signal,
      )
      await hostSettings.restore()
      chains = undefined
    },
  }
}

import type { Runner } from '@berth/host'
import type { HostConfig } from '../domain/host-network.ts'
import { hostSettings, settingsOf } from '../domain/links.ts'
import {
  type Measured,
  parseAddresses,
  parseDestinations,
  parseForwarding,
  parseHostRoutes,
  parseLinks,
  parseNeighbours,
} from '../domain/measured.ts'
import { parseRuleset } from '../domain/ruleset.ts'
import type { Settings } from './sysctl.ts'

const timeoutMs = 10_000
// A host with Kubernetes or a large blocklist has rulesets of many megabytes.
const maxOutputBytes = 64 * 1024 * 1024

/** Runs one command that only reads. */
export async function readCommand(runner: Runner, argv: string[], signal: AbortSignal): Promise<string> {
  return (await runner.run(argv, { timeoutMs, maxOutputBytes, signal })).stdout
}

/** Reads everything of the host that a comparison needs: six commands and the settings. */
export async function measureHost(runner: Runner, settings: Settings, config: HostConfig, signal: AbortSignal): Promise<Measured> {
  const read = (...argv: string[]) => readCommand(runner, argv, signal)
  const names = [...Object.keys(hostSettings), ...config.bridges.flatMap(({ bridge }) => Object.keys(settingsOf(bridge)))]
  const [links, addresses, neighbours, routes, forwarding, ruleset, values] = await Promise.all([
    read('ip', '-d', '-j', 'link', 'show'),
    read('ip', '-j', 'addr', 'show'),
    read('ip', '-j', 'neigh', 'show', 'nud', 'permanent'),
    read('ip', '-6', '-j', 'route', 'show'),
    read('bridge', '-j', 'fdb', 'show'),
    read('nft', '-j', 'list', 'ruleset'),
    Promise.all(names.map(async (name): Promise<[string, string | undefined]> => [name, await settings.read(name)])),
  ])
  return {
    links: parseLinks(links),
    addresses: parseAddresses(addresses),
    neighbours: parseNeighbours(neighbours),
    hostRoutes: parseHostRoutes(routes),
    forwarding: parseForwarding(forwarding),
    settings: new Map(values),
    ruleset: parseRuleset(ruleset),
  }
}

/** Destinations of every route in every table, both families. */
export async function readRoutes(runner: Runner, signal: AbortSignal): Promise<string[]> {
  const tables = await Promise.all(
    ['-4', '-6'].map((family) => readCommand(runner, ['ip', family, '-j', 'route', 'show', 'table', 'all'], signal)),
  )
  return tables.flatMap(parseDestinations)
}

import { planAccepts } from './accepts.ts'
import { parseCidr } from './cidr.ts'
import { allElements, deleteElement, memberSets, neededElements } from './elements.ts'
import { type BridgeConfig, type Drift, type HostConfig, type Inspection, ipv6Gateway, type PortConfig, type Undo } from './host-network.ts'
import { hostSettings, settingsOf } from './links.ts'
import type { Link, Measured } from './measured.ts'
import { chainsText, membersOf } from './ruleset.ts'

type Report = (drift: Drift) => void

/**
 * Says how the host differs from the config, in both directions. Judges only what carries this host's marks: names with its four characters, links
 * with its alias, members of its own tables, rules with its comment, and what hangs on its bridges.
 *
 * @param expectedChains what our chains looked like after we wrote them; undefined compares their presence alone
 */
export function compare(config: HostConfig, measured: Measured, expectedChains: string | undefined): Inspection {
  const drift: Drift[] = []
  const report: Report = (one) => drift.push(one)
  for (const bridge of config.bridges) compareBridge(bridge, measured, report)
  for (const port of config.ports) comparePort(port, measured, report)
  compareRules(config, measured, expectedChains, report)
  compareAccepts(config, measured, report)
  findOrphans(config, measured, report)
  const { bridges, ports } = config
  const rules = neededElements(config).length + planAccepts(measured.ruleset, bridges, config.names).wanted.length
  return { drift, compared: { bridge: bridges.length, tap: ports.length, address: bridges.length * 2 + ports.length * 4, rule: rules } }
}

function compareBridge(config: BridgeConfig, { links, addresses, settings }: Measured, report: Report): void {
  const { bridge, mac, networkId, ipv4Gateway, ipv4Subnet } = config
  const link = links.get(bridge)
  const about = { name: bridge, resourceId: networkId }
  if (!link) return report({ ...about, side: 'database-only', kind: 'bridge', message: `bridge ${bridge} is missing` })
  if (link.kind !== 'bridge' || link.mac !== mac || !link.up) {
    report({ ...about, side: 'mismatch', kind: 'bridge', message: `bridge ${bridge} is down or is not the one that was made` })
  }
  for (const address of [`${ipv4Gateway}/${parseCidr(ipv4Subnet).length}`, `${ipv6Gateway}/64`]) {
    if (!addresses.has(`${bridge} ${address}`)) {
      report({ ...about, side: 'database-only', kind: 'address', message: `bridge ${bridge} lacks its address ${address}` })
    }
  }
  for (const [name, value] of Object.entries({ ...settingsOf(bridge), ...hostSettings })) {
    const found = settings.get(name)
    if (found !== undefined && found !== value) {
      report({ ...about, side: 'mismatch', kind: 'bridge', message: `kernel setting ${name} is ${found}, not ${value}` })
    }
  }
}

function comparePort(port: PortConfig, { links, neighbours, hostRoutes, forwarding }: Measured, report: Report): void {
  const { tap, portId, bridge, mac, ipv4, ipv6, up } = port
  const link = links.get(tap)
  if (!link) return report({ side: 'database-only', kind: 'tap', name: tap, resourceId: portId, message: `tap ${tap} is missing` })
  for (const message of tapFaults(port, link)) report({ side: 'mismatch', kind: 'tap', name: tap, resourceId: portId, message })
  const missing = [
    neighbours.has(`${bridge} ${ipv4} ${mac}`) ? '' : ipv4,
    neighbours.has(`${bridge} ${ipv6} ${mac}`) ? '' : ipv6,
    hostRoutes.has(`${bridge} ${ipv6}`) ? '' : `${ipv6}/128`,
    !up || forwarding.has(`${tap} ${mac}`) ? '' : mac,
  ].filter(Boolean)
  for (const name of missing) {
    report({
      side: 'database-only',
      kind: 'address',
      name,
      resourceId: portId,
      message: `the host does not know the way to ${name} on ${tap}`,
    })
  }
}

function tapFaults({ tap, bridge, uid, up }: PortConfig, link: Link): string[] {
  return [
    link.kind === 'tun' && link.user === uid ? '' : `${tap} is not a tap of user ${uid}`,
    link.master === bridge ? '' : `tap ${tap} is not on bridge ${bridge}`,
    link.isolated && !link.learning && !link.flood ? '' : `tap ${tap} is not an isolated port`,
    link.up === up ? '' : `tap ${tap} is ${link.up ? 'up' : 'down'}`,
  ].filter(Boolean)
}

function compareRules({ names, ...config }: HostConfig, { ruleset }: Measured, expectedChains: string | undefined, report: Report): void {
  if (config.bridges.length === 0) return
  const { table } = names
  const chains = chainsText(ruleset, table)
  if (chains === '' || (expectedChains !== undefined && chains !== expectedChains)) {
    report({
      side: 'mismatch',
      kind: 'rule',
      name: table,
      resourceId: '',
      message: `the chains of table ${table} are not as they were written`,
    })
  }
  const found = new Map(memberSets.map(({ family, set }) => [`${family} ${set}`, new Set(membersOf(ruleset, family, table, set))]))
  for (const { family, set, value, resourceId } of neededElements({ names, ...config })) {
    if (found.get(`${family} ${set}`)?.has(value)) continue
    report({
      side: 'database-only',
      kind: 'rule',
      name: `${table} ${set} ${value}`,
      resourceId,
      message: `set ${set} of ${table} lacks ${value}`,
    })
  }
  for (const { family, set, value } of allElements({ names, ...config })) found.get(`${family} ${set}`)?.delete(value)
  for (const { family, set } of memberSets) {
    for (const value of found.get(`${family} ${set}`) ?? []) {
      report({
        side: 'host-only',
        kind: 'rule',
        name: `${table} ${set} ${value}`,
        resourceId: '',
        message: `${value} stands in set ${family} ${set} of ${table} without a port or network`,
        undo: { by: 'nft', lines: [deleteElement(table, { family, set, value })] },
      })
    }
  }
}

function compareAccepts({ names, bridges }: HostConfig, { ruleset }: Measured, report: Report): void {
  const { missing, stray } = planAccepts(ruleset, bridges, names)
  for (const { family, table, chain, bridge, text } of missing) {
    const resourceId = bridges.find((one) => one.bridge === bridge)?.networkId ?? ''
    const name = `${family} ${table} ${chain} ${text}`
    report({
      side: 'database-only',
      kind: 'rule',
      name,
      resourceId,
      message: `${chain} of ${family} ${table} drops and lacks our rule: ${text}`,
    })
  }
  for (const { family, table, chain, text, handle } of stray) {
    const name = `${family} ${table} ${chain} handle ${handle}`
    report({
      side: 'host-only',
      kind: 'rule',
      name,
      resourceId: '',
      message: `${chain} of ${family} ${table} holds a rule of ours that nobody needs: ${text}`,
      undo: { by: 'nft', lines: [`delete rule ${family} ${table} ${chain} handle ${handle}`] },
    })
  }
}

function findOrphans({ names, bridges, ports }: HostConfig, { links, neighbours, hostRoutes }: Measured, report: Report): void {
  const ownBridges = new Set(bridges.map(({ bridge }) => bridge))
  const ownTaps = new Set(ports.map(({ tap }) => tap))
  const marked = new RegExp(`^(br-${names.short}[a-z2-7]{4}|${names.tapPrefix}[a-z2-7]{7})$`)
  for (const { name, kind, alias, master } of links.values()) {
    if (ownBridges.has(name) || ownTaps.has(name)) continue
    const ours = marked.test(name) || alias.startsWith(`berth ${names.host} `)
    if (!ours && !ownBridges.has(master)) continue
    const what = kind === 'bridge' ? 'bridge' : 'tap'
    const undo: Undo | undefined =
      ours && (kind === 'bridge' || kind === 'tun') ? { by: 'ip', lines: [`link set dev ${name} down`, `link del dev ${name}`] } : undefined
    report({ side: 'host-only', kind: what, name, resourceId: '', message: `${what} ${name} has no row`, undo })
  }
  const known = new Set(ports.flatMap(({ bridge, ipv4, ipv6 }) => [`${bridge} ${ipv4}`, `${bridge} ${ipv6}`]))
  const pointers = [...[...neighbours].map((entry) => entry.split(' ').slice(0, 2).join(' ')), ...hostRoutes]
  for (const entry of new Set(pointers)) {
    const [bridge = '', address = ''] = entry.split(' ')
    if (!ownBridges.has(bridge) || known.has(entry) || address.startsWith('ff') || address.startsWith('fe80:')) continue
    const routes = address.includes(':') ? [`route del ${address}/128 dev ${bridge}`] : []
    const undo: Undo = { by: 'ip', lines: [...routes, `neigh del ${address} dev ${bridge}`] }
    report({ side: 'host-only', kind: 'address', name: address, resourceId: '', message: `${address} on ${bridge} has no port`, undo })
  }
}

import { expect, it } from 'vitest'
import { compare } from './compare.ts'
import { portElements } from './elements.ts'
import type { PortConfig } from './host-network.ts'
import type { Link, Measured } from './measured.ts'
import { hostNames } from './names.ts'
import { bridge, port } from './testing.ts'

const names = hostNames('hst_1', 'abcd')

function link(name: string, about: Partial<Link> = {}): [string, Link] {
  const plain = { kind: 'tun', up: true, mac: '', alias: '', master: '', user: undefined, isolated: true, learning: false, flood: false }
  return [name, { ...plain, name, ...about }]
}

const nothing: Measured = {
  links: new Map(),
  addresses: new Set(),
  neighbours: new Set(),
  hostRoutes: new Set(),
  forwarding: new Set(),
  settings: new Map(),
  ruleset: { chains: [], rules: [], sets: [] },
}

/** How what is found on the host alone would go, by name. */
function undone(measured: Partial<Measured>): Record<string, string[] | undefined> {
  const { drift } = compare({ names, bridges: [bridge], ports: [port] }, { ...nothing, ...measured }, undefined)
  const alone = drift.filter(({ side }) => side === 'host-only')
  return Object.fromEntries(alone.map(({ name, undo }) => [name, undo && 'lines' in undo ? undo.lines : undefined]))
}

it('says how a bridge and a tap of this host go that no row names', () => {
  const links = new Map([link('br-abcdbeef', { kind: 'bridge' }), link('btabcdbeefbee'), link('odd', { alias: 'berth hst_1 prt_9' })])
  expect(undone({ links })).toEqual({
    'br-abcdbeef': ['link set dev br-abcdbeef down', 'link del dev br-abcdbeef'],
    btabcdbeefbee: ['link set dev btabcdbeefbee down', 'link del dev btabcdbeefbee'],
    odd: ['link set dev odd down', 'link del dev odd'],
  })
})

it('knows no way for what bears no mark of this host, whatever it hangs on, or is no link of our kinds', () => {
  const links = new Map([link('eth7', { kind: '', master: bridge.bridge }), link('btabcdbeefbee', { kind: 'dummy' })])
  expect(undone({ links })).toEqual({ eth7: undefined, btabcdbeefbee: undefined })
})

it('does not look at what is another host’s', () => {
  const links = new Map([link('br-wxyzbeef', { kind: 'bridge' }), link('btwxyzbeefbee', { alias: 'berth hst_2 prt_9' })])
  expect(undone({ links })).toEqual({})
})

it('says how an address goes that no port has', () => {
  const neighbours = new Set([`${bridge.bridge} 10.94.0.250 02:00:00:00:be:ef`, `${bridge.bridge} ${port.ipv4} ${port.mac}`])
  const hostRoutes = new Set([`${bridge.bridge} fd12:3456:789a::9`, 'eth0 fd99::9'])
  expect(undone({ neighbours, hostRoutes })).toEqual({
    '10.94.0.250': [`neigh del 10.94.0.250 dev ${bridge.bridge}`],
    'fd12:3456:789a::9': [`route del fd12:3456:789a::9/128 dev ${bridge.bridge}`, `neigh del fd12:3456:789a::9 dev ${bridge.bridge}`],
  })
})

it('asks for rules and the way to the Ethernet address of a port that should be up, and of no other', () => {
  const lacking = (up: boolean) => {
    const { drift } = compare(
      { names, bridges: [bridge], ports: [{ ...port, up }] },
      { ...nothing, links: new Map([link(port.tap)]) },
      undefined,
    )
    return drift
      .filter(({ resourceId, kind }) => resourceId === port.portId && (kind === 'rule' || kind === 'address'))
      .map(({ name }) => name)
  }
  const way = [port.ipv4, port.ipv6, `${port.ipv6}/128`]
  expect(lacking(false)).toEqual(way)
  expect(lacking(true)).toEqual([...way, port.mac, ...portElements(port).map(({ set, value }) => `berth_abcd ${set} ${value}`)])
})

it('takes the rules that a port still has while it is down for nobody else’s, and for strays when there is no port', () => {
  const strays = (...ports: PortConfig[]) => {
    const elem = (set: string) =>
      portElements(port)
        .filter((one) => one.set === set)
        .map(({ value }) => ({ concat: value.split(' . ') }))
    const sets = ['macs', 'addresses4', 'addresses6'].map((name) => ({ family: 'bridge', table: 'berth_abcd', name, elem: elem(name) }))
    const measured = { ...nothing, ruleset: { chains: [], rules: [], sets } }
    const { drift } = compare({ names, bridges: [bridge], ports }, measured, undefined)
    return drift.filter(({ kind, side }) => kind === 'rule' && side === 'host-only')
  }
  expect(strays({ ...port, up: true })).toEqual([])
  expect(strays({ ...port, up: false })).toEqual([])
  expect(strays({ ...port, tap: 'btabcdbbbbbbb' })).toHaveLength(portElements(port).length)
  expect(strays()).toHaveLength(portElements(port).length)
})

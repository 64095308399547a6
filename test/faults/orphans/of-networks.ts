import { readFileSync } from 'node:fs'
import { data, facts, processOf, quietly, sh, system, undo } from './ground.ts'
import { type Orphan, orphan } from './orphan.ts'

const neighbour = (address: string) => ['neigh', 'replace', address, 'lladdr', '02:00:00:00:be:ef', 'dev', facts.bridge, 'nud', 'permanent']
const unknownAddress = () => `${facts.ipv4.split('.').slice(0, 3).join('.')}.250`
const short = () => facts.table.slice('berth_'.length)
const otherBridge = () => `br-${short()}beef`
const otherTap = () => `bt${short()}beefbee`
const service = 'network'

/** What the network service leaves alone and only names. */
export const ofNetworks: Orphan[] = [
  orphan(
    'a bridge without a row',
    () => (quietly('ip', 'link', 'add', otherBridge(), 'type', 'bridge'), undo.push(() => quietly('ip', 'link', 'del', otherBridge()))),
    () => ({ service, side: 'HOST_ONLY', kind: 'bridge', name: otherBridge() }),
  ),
  orphan(
    'a tap without a row',
    () => (quietly('ip', 'tuntap', 'add', otherTap(), 'mode', 'tap'), undo.push(() => quietly('ip', 'link', 'del', otherTap()))),
    () => ({ service, side: 'HOST_ONLY', kind: 'tap', name: otherTap() }),
  ),
  orphan(
    'a member of a set without a row',
    () => {
      const element = ['element', 'bridge', facts.table, 'macs', `{ "${otherTap()}" . 02:00:00:00:be:ef }`]
      sh('nft', 'add', ...element)
      undo.push(() => quietly('nft', 'delete', ...element))
    },
    () => ({ service, side: 'HOST_ONLY', kind: 'rule', name: `${facts.table} macs ${otherTap()} . 02:00:00:00:be:ef` }),
  ),
  orphan(
    'a rule of ours in a chain of others that needs none',
    () => {
      sh('nft', 'add table ip others; add chain ip others FORWARD { type filter hook forward priority 0; policy accept; }')
      sh('nft', `add rule ip others FORWARD iifname "${facts.bridge}" accept comment "berth ${facts.bridge}"`)
      undo.push(() => quietly('nft', 'delete', 'table', 'ip', 'others'))
    },
    () => ({ service, side: 'HOST_ONLY', kind: 'rule' }),
  ),
  orphan(
    'an address that no port has',
    () => (sh('ip', ...neighbour(unknownAddress())), undo.push(() => quietly('ip', 'neigh', 'del', unknownAddress(), 'dev', facts.bridge))),
    () => ({ service, side: 'HOST_ONLY', kind: 'address', name: unknownAddress() }),
  ),
  orphan(
    'a DNS server without a network',
    () => processOf('dnsmasq', `--conf-file=${data('network', 'br-gone', 'dnsmasq.conf')}`),
    () => ({ service, side: 'HOST_ONLY', kind: 'process' }),
  ),
]

/** What it repairs within seconds; of each group everything can be so at once. */
export const repairedOfNetworks: Orphan[][] = [
  [
    orphan(
      'a row without its member of a set',
      () => sh('nft', 'delete', 'element', 'bridge', facts.table, 'macs', `{ "${facts.tap}" . ${facts.mac} }`),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'rule', name: `${facts.table} macs ${facts.tap} . ${facts.mac}` }),
    ),
    orphan(
      'a row without the way to its address',
      () => sh('ip', 'neigh', 'del', facts.ipv4, 'dev', facts.bridge),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'address', name: facts.ipv4, resourceId: facts.port }),
    ),
    orphan(
      'a network without its gateway’s address',
      () => quietly('ip', '-4', 'addr', 'flush', 'dev', facts.bridge),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'address', name: facts.bridge, resourceId: facts.network }),
    ),
    orphan(
      'a network without its DNS server',
      () => {
        const pid = Number(readFileSync(data('network', facts.bridge, 'dnsmasq.pid'), 'utf8'))
        if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(system().dataDir)) process.kill(pid, 'SIGKILL')
      },
      () => ({ service, side: 'DATABASE_ONLY', kind: 'process', name: `dnsmasq ${facts.bridge}`, resourceId: facts.network }),
    ),
    orphan(
      'a tap that is not isolated',
      () => sh('bridge', 'link', 'set', 'dev', facts.tap, 'isolated', 'off'),
      () => ({ service, side: 'MISMATCH', kind: 'tap', name: facts.tap }),
    ),
    orphan(
      'a rule in our table that we did not write',
      () => sh('nft', `add chain inet ${facts.table} planted`),
      () => ({ service, side: 'MISMATCH', kind: 'rule', name: facts.table }),
    ),
    orphan(
      'a bridge that is down',
      () => sh('ip', 'link', 'set', facts.bridge, 'down'),
      () => ({ service, side: 'MISMATCH', kind: 'bridge', name: facts.bridge }),
    ),
  ],
  [
    orphan(
      'a row without its tap',
      () => sh('ip', 'link', 'del', facts.tap),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'tap', name: facts.tap, resourceId: facts.port }),
    ),
  ],
  [
    orphan(
      'a row without its bridge',
      () => sh('ip', 'link', 'del', facts.bridge),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'bridge', name: facts.bridge, resourceId: facts.network }),
    ),
  ],
]

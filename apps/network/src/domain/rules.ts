import type { HostNames } from './names.ts'
import type { Ruleset } from './ruleset.ts'

/**
 * The tables, sets and chains of a host as one idempotent nft script: sets keep their members, chains are emptied and filled again in the same
 * transaction, so that there is no moment without them.
 *
 * Family bridge: what may come out of a guest's tap (G01 of the threat list). It matches the names of this host's taps by their beginning, so a tap
 * whose members are missing lets nothing through. No `ct state` and no `meta ibrname` there: not every kernel has them.
 * Family inet: what guests may do to each other, to the host and to the world, decided once, with connection tracking.
 */
export function renderTables({ table, tapPrefix }: HostNames): string {
  return [...tableOf('bridge', table, bridgeSets, bridgeChains(tapPrefix)), ...tableOf('inet', table, inetSets, inetChains), ''].join('\n')
}

/** The lines that take chains of others out of our tables. Our own chains must have been filled again before, so that none leads there. */
export function renderStrayChains({ table, tapPrefix }: HostNames, { chains }: Ruleset): string[] {
  const own = { bridge: bridgeChains(tapPrefix), inet: inetChains } as Record<string, Record<string, Chain>>
  const strays = chains.filter((chain) => chain.table === table && !Object.hasOwn(own[chain.family] ?? {}, chain.name))
  return ['flush', 'delete'].flatMap((verb) => strays.map(({ family, name }) => `${verb} chain ${family} ${table} ${name}`))
}

type Chain = { hook?: string; rules: string[] }

function tableOf(family: 'bridge' | 'inet', table: string, sets: Record<string, string>, chains: Record<string, Chain>): string[] {
  const name = `${family} ${table}`
  return [
    `add table ${name}`,
    ...Object.entries(sets).map(([set, type]) => `add set ${name} ${set} { ${type} }`),
    ...Object.entries(chains).map(([chain, { hook }]) => `add chain ${name} ${chain}${hook ? ` { ${hook} policy accept; }` : ''}`),
    ...Object.keys(chains).map((chain) => `flush chain ${name} ${chain}`),
    ...Object.entries(chains).flatMap(([chain, { rules }]) => rules.map((rule) => `add rule ${name} ${chain} ${rule}`)),
  ]
}

const bridgeSets = {
  macs: 'type ifname . ether_addr;',
  addresses4: 'type ifname . ether_addr . ipv4_addr;',
  addresses6: 'type ifname . ether_addr . ipv6_addr;',
}

function bridgeChains(tapPrefix: string): Record<string, Chain> {
  return {
    prerouting: { hook: 'type filter hook prerouting priority dstnat;', rules: [`iifname "${tapPrefix}*" jump from_guest`] },
    from_guest: {
      rules: [
        // Also ends VLAN tags and LLC/SNAP, whose stacking hides what comes after them (CVE-2021-27853).
        'ether type != { ip, arp, ip6 } counter drop',
        'iifname . ether saddr != @macs counter drop',
        'ether type vmap { arp : jump guest_arp, ip : jump guest_ip4, ip6 : jump guest_ip6 }',
        'counter drop',
      ],
    },
    guest_arp: {
      rules: [
        'arp htype != 1 drop',
        'arp ptype != ip drop',
        'iifname . arp saddr ether . arp saddr ip @addresses4 accept',
        'arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether @macs accept',
      ],
    },
    guest_ip4: {
      rules: [
        'iifname . ether saddr . ip saddr @addresses4 accept',
        'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept',
      ],
    },
    guest_ip6: {
      rules: [
        'icmpv6 type { nd-router-advert, nd-redirect } drop',
        'iifname . ether saddr . ip6 saddr @addresses6 accept',
        'ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld2-listener-report } accept',
      ],
    },
  }
}

const inetSets = {
  bridges: 'type ifname;',
  open: 'type ifname . ifname;',
  gateways4: 'type ifname . ipv4_addr;',
  gateways6: 'type ifname . ipv6_addr;',
  subnets4: 'type ipv4_addr; flags interval;',
  subnets6: 'type ipv6_addr; flags interval;',
}

const inetChains: Record<string, Chain> = {
  input: { hook: 'type filter hook input priority filter;', rules: ['iifname @bridges jump guest_to_host'] },
  guest_to_host: {
    rules: [
      'ct state vmap { established : accept, related : accept, invalid : drop }',
      'udp sport 68 udp dport 67 accept',
      'iifname . ip daddr @gateways4 meta l4proto { tcp, udp } th dport 53 accept',
      'iifname . ip6 daddr @gateways6 meta l4proto { tcp, udp } th dport 53 accept',
      'iifname . ip daddr @gateways4 icmp type echo-request accept',
      'iifname . ip6 daddr @gateways6 icmpv6 type echo-request accept',
      'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld-listener-report, mld2-listener-report } accept',
      'counter drop',
    ],
  },
  forward: {
    hook: 'type filter hook forward priority filter;',
    rules: ['iifname @bridges jump forward_guest', 'oifname @bridges jump forward_guest'],
  },
  forward_guest: {
    rules: [
      'ct state vmap { established : accept, related : accept, invalid : drop }',
      'iifname . oifname @open accept',
      'oifname @bridges counter drop',
      // Metadata services of clouds answer here, with the host's credentials.
      'ip daddr 169.254.0.0/16 counter drop',
      'accept',
    ],
  },
  postrouting: {
    hook: 'type nat hook postrouting priority srcnat;',
    rules: ['ip saddr @subnets4 oifname != @bridges masquerade', 'ip6 saddr @subnets6 oifname != @bridges masquerade'],
  },
  output: {
    hook: 'type filter hook output priority filter;',
    // Guests that obey a redirect would look for each other on layer 2, where they never meet.
    rules: ['oifname @bridges icmpv6 type nd-redirect drop'],
  },
}

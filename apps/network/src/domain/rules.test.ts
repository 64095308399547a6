import { describe, expect, it } from 'vitest'
import { addElement, bridgeElements, dropElement, portElements } from './elements.ts'
import { hostNames } from './names.ts'
import { renderStrayChains, renderTables } from './rules.ts'
import { bridge, port } from './testing.ts'

const names = hostNames('hst_1', 'abcd')

describe('the rules of a host', () => {
  it('empty and fill every chain in one script, and leave the members of the sets alone', () => {
    const script = renderTables(names)
    const chains = [...script.matchAll(/^add chain (\S+ \S+ \S+)/gm)].map(([, name]) => name)
    for (const chain of chains) expect(script).toContain(`flush chain ${chain}\n`)
    expect(script).not.toMatch(/flush (set|table)|delete/)
    expect(chains).toHaveLength(11)
  })

  it('take out chains that others put into our tables, and no chain of ours or of other tables', () => {
    const chain = (family: string, table: string, name: string) => ({ family, table, name })
    const chains = [
      chain('inet', 'berth_abcd', 'planted'),
      chain('bridge', 'berth_abcd', 'from_guest'),
      chain('inet', 'berth_abcd', 'from_guest'),
      chain('inet', 'filter', 'planted'),
    ]
    expect(renderStrayChains(names, { chains, rules: [], sets: [] })).toEqual([
      'flush chain inet berth_abcd planted',
      'flush chain inet berth_abcd from_guest',
      'delete chain inet berth_abcd planted',
      'delete chain inet berth_abcd from_guest',
    ])
  })

  it('let nothing out of a tap of this host that its members do not admit', () => {
    const script = renderTables(names)
    expect(script).toContain('add rule bridge berth_abcd prerouting iifname "btabcd*" jump from_guest\n')
    expect(script.match(/^add rule bridge berth_abcd from_guest .*$/gm)?.at(-1)).toBe('add rule bridge berth_abcd from_guest counter drop')
  })

  it('close the host to guests but for DHCP, DNS, echo and neighbours', () => {
    const rules = renderTables(names).match(/^add rule inet berth_abcd guest_to_host .*$/gm)
    expect(rules).toMatchInlineSnapshot(`
      [
        "add rule inet berth_abcd guest_to_host ct state vmap { established : accept, related : accept, invalid : drop }",
        "add rule inet berth_abcd guest_to_host udp sport 68 udp dport 67 accept",
        "add rule inet berth_abcd guest_to_host iifname . ip daddr @gateways4 meta l4proto { tcp, udp } th dport 53 accept",
        "add rule inet berth_abcd guest_to_host iifname . ip6 daddr @gateways6 meta l4proto { tcp, udp } th dport 53 accept",
        "add rule inet berth_abcd guest_to_host iifname . ip daddr @gateways4 icmp type echo-request accept",
        "add rule inet berth_abcd guest_to_host iifname . ip6 daddr @gateways6 icmpv6 type echo-request accept",
        "add rule inet berth_abcd guest_to_host icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld-listener-report, mld2-listener-report } accept",
        "add rule inet berth_abcd guest_to_host counter drop",
      ]
    `)
  })

  it('take their members from networks and ports', () => {
    const lines = [...bridgeElements(bridge), ...portElements(port)].map((element) => addElement('berth_abcd', element))
    expect(lines).toMatchInlineSnapshot(`
      [
        "add element inet berth_abcd bridges { "br-abcdaaaa" }",
        "add element inet berth_abcd open { "br-abcdaaaa" . "br-abcdaaaa" }",
        "add element inet berth_abcd gateways4 { "br-abcdaaaa" . 10.94.0.1 }",
        "add element inet berth_abcd gateways6 { "br-abcdaaaa" . fe80::1 }",
        "add element inet berth_abcd subnets4 { 10.94.0.0/24 }",
        "add element inet berth_abcd subnets6 { fd12:3456:789a::/64 }",
        "add element bridge berth_abcd macs { "btabcdaaaaaaa" . 02:00:00:00:00:02 }",
        "add element bridge berth_abcd addresses4 { "btabcdaaaaaaa" . 02:00:00:00:00:02 . 10.94.0.2 }",
        "add element bridge berth_abcd addresses6 { "btabcdaaaaaaa" . 02:00:00:00:00:02 . fd12:3456:789a::2 }",
        "add element bridge berth_abcd addresses6 { "btabcdaaaaaaa" . 02:00:00:00:00:02 . fe80::ff:fe00:2 }",
      ]
    `)
  })

  it('lose a member whether it is there or not', () => {
    const [mac] = portElements(port)
    if (!mac) throw new Error('no member')
    expect(dropElement('berth_abcd', mac).split('\n')).toEqual([
      'add element bridge berth_abcd macs { "btabcdaaaaaaa" . 02:00:00:00:00:02 }',
      'delete element bridge berth_abcd macs { "btabcdaaaaaaa" . 02:00:00:00:00:02 }',
    ])
  })
})

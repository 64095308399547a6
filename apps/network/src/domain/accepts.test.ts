import { describe, expect, it } from 'vitest'
import { planAccepts, renderAccepts } from './accepts.ts'
import { hostNames } from './names.ts'
import { type NftRule, parseRuleset, type Ruleset } from './ruleset.ts'
import { bridge } from './testing.ts'

const names = hostNames('hst_1', 'abcd')
const jump = (chain: string, target: string, handle: number): NftRule => ({
  family: 'ip',
  table: 'filter',
  chain,
  handle,
  expr: [{ jump: { target } }],
})

function rulesetOf(policy: string, rules: NftRule[] = []): Ruleset {
  return {
    chains: [
      { family: 'ip', table: 'filter', name: 'FORWARD', type: 'filter', hook: 'forward', policy },
      { family: 'ip', table: 'filter', name: 'DOCKER-USER' },
      { family: 'inet', table: 'berth_zzzz', name: 'forward', type: 'filter', hook: 'forward', policy: 'drop' },
      { family: 'ip', table: 'nat', name: 'POSTROUTING', type: 'nat', hook: 'postrouting', policy: 'drop' },
    ],
    rules,
    sets: [],
  }
}

const plan = (ruleset: Ruleset) => planAccepts(ruleset, [bridge], names)

describe('accept rules in others’ chains', () => {
  it('are needed only where somebody else filters forwarding or input and drops', () => {
    expect(plan(rulesetOf('accept')).wanted).toEqual([])
    expect(renderAccepts(plan(rulesetOf('drop')), [bridge])).toEqual([
      'insert rule ip filter FORWARD iifname "br-abcdaaaa" accept comment "berth br-abcdaaaa"',
      'insert rule ip filter FORWARD oifname "br-abcdaaaa" accept comment "berth br-abcdaaaa"',
    ])
  })

  it('are needed where a chain that is jumped to drops or rejects, also by an extension of iptables', () => {
    const target: NftRule = { ...jump('LATER', '', 2), expr: [{ xt: { type: 'target', name: 'REJECT' } }] }
    expect(plan(rulesetOf('accept', [jump('FORWARD', 'LATER', 1), target])).wanted).toHaveLength(2)
    expect(plan(rulesetOf('accept', [target])).wanted).toEqual([])
  })

  it('stand in the chain that Docker keeps, where there is one', () => {
    expect(plan(rulesetOf('drop', [jump('FORWARD', 'DOCKER-USER', 1)])).wanted.map(({ chain }) => chain)).toEqual([
      'DOCKER-USER',
      'DOCKER-USER',
    ])
  })

  it('are found again, and those that nobody wants are named and taken back by their handle, but none of an unknown bridge', () => {
    const ours = (handle: number, direction: string, link = 'br-abcdaaaa'): NftRule => ({
      ...jump('FORWARD', '', handle),
      comment: `berth ${link}`,
      expr: [{ match: { op: '==', left: { meta: { key: direction } }, right: link } }, { accept: null }],
    })
    const rules = [
      ours(5, 'iifname'),
      ours(6, 'oifname'),
      ours(7, 'oifname'),
      ours(8, 'iifname', 'br-abcdzzzz'),
      ours(9, 'iifname', 'br-zzzzaaaa'),
    ]
    const found = plan(rulesetOf('drop', rules))
    expect(found.missing).toEqual([])
    expect(found.stray.map(({ handle }) => handle)).toEqual([7, 8])
    expect(renderAccepts(found, [bridge])).toEqual(['delete rule ip filter FORWARD handle 7'])
  })

  it('let guests reach the gateway and what belongs to it, where input is dropped', () => {
    const ruleset = rulesetOf('accept')
    ruleset.chains.push({ family: 'inet', table: 'firewalld', name: 'filter_INPUT', type: 'filter', hook: 'input', policy: 'drop' })
    expect(plan(ruleset).wanted.map(({ text }) => text)).toEqual([
      'iifname "br-abcdaaaa" ip daddr 10.94.0.1 accept',
      'iifname "br-abcdaaaa" ip daddr 255.255.255.255 accept',
      'iifname "br-abcdaaaa" ip6 daddr fe80::1 accept',
      'iifname "br-abcdaaaa" ip6 daddr ff02::/16 accept',
    ])
  })

  it('are read from what nft prints', () => {
    const json = JSON.stringify({
      nftables: [
        { metainfo: {} },
        { chain: { family: 'ip', table: 'filter', name: 'INPUT', type: 'filter', hook: 'input', policy: 'drop' } },
        {
          rule: {
            ...{ family: 'ip', table: 'filter', chain: 'INPUT', handle: 3, comment: 'berth br-abcdaaaa' },
            expr: [
              { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'br-abcdaaaa' } },
              { match: { op: '==', left: { payload: { protocol: 'ip', field: 'daddr' } }, right: '10.94.0.1' } },
              { counter: { packets: 1, bytes: 2 } },
              { accept: null },
            ],
          },
        },
      ],
    })
    const { missing, stray } = plan(parseRuleset(json))
    expect(missing.map(({ text }) => text)).toEqual(['iifname "br-abcdaaaa" ip daddr 255.255.255.255 accept'])
    expect(stray).toEqual([])
  })
})

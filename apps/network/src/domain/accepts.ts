import { type AcceptRule, type BridgeConfig, ipv6Gateway } from './host-network.ts'
import type { HostNames } from './names.ts'
import type { NftChain, NftExpr, NftRule, Ruleset } from './ruleset.ts'

export type AcceptPlan = {
  /** All accept rules the host needs of us. */
  wanted: AcceptRule[]
  /** Those of them that are not there. */
  missing: AcceptRule[]
  /** Rules with our comment that nobody wants, and repeated ones. */
  stray: (AcceptRule & { handle: number })[]
}

/**
 * Finds the chains of others on the forward and input hooks that drop (Docker's FORWARD, ufw's INPUT and FORWARD, firewalld's) and says which accept
 * rules of ours they need. Docker keeps what stands in DOCKER-USER across its restarts, so ours go there where it exists. The rules are so plain that
 * iptables' own tools go on reading those tables; what is really let through is decided in our table, which every one of these packets passes too.
 */
export function planAccepts(ruleset: Ruleset, bridges: BridgeConfig[], names: HostNames): AcceptPlan {
  const wanted = ruleset.chains
    .filter((chain) => isOthers(chain) && drops(ruleset, chain))
    .flatMap((chain) => acceptsFor(ruleset, chain, bridges))
  const open = new Map(wanted.map((rule) => [keyOf(rule), rule]))
  const stray: AcceptPlan['stray'] = []
  for (const { handle, rule } of ourRules(ruleset, names)) {
    if (!open.delete(keyOf(rule))) stray.push({ ...rule, handle })
  }
  return { wanted, missing: [...open.values()], stray }
}

/** nft lines that carry the plan out; of the strays only those of `bridges` go, for nothing is deleted that no record names. */
export function renderAccepts({ missing, stray }: AcceptPlan, bridges: BridgeConfig[]): string[] {
  const known = new Set(bridges.map(({ bridge }) => bridge))
  return [
    ...stray
      .filter(({ bridge }) => known.has(bridge))
      .map(({ family, table, chain, handle }) => `delete rule ${family} ${table} ${chain} handle ${handle}`),
    ...missing.map(({ family, table, chain, text, bridge }) => `insert rule ${family} ${table} ${chain} ${text} comment "berth ${bridge}"`),
  ]
}

function isOthers({ family, table, type, hook }: NftChain): boolean {
  return isFamily(family) && type === 'filter' && (hook === 'forward' || hook === 'input') && !table.startsWith('berth_')
}

function isFamily(family: string): family is AcceptRule['family'] {
  return family === 'ip' || family === 'ip6' || family === 'inet'
}

function acceptsFor(ruleset: Ruleset, base: NftChain, bridges: BridgeConfig[]): AcceptRule[] {
  const { table, hook } = base
  const family = base.family as AcceptRule['family']
  const kept = [...reachable(ruleset, base)].find((chain) => chain === 'DOCKER-USER')
  return bridges.flatMap(({ bridge, ipv4Gateway }) => {
    const texts = hook === 'forward' ? forwardTexts(bridge) : inputTexts(family, bridge, ipv4Gateway)
    return texts.map((text) => ({ family, table, chain: kept ?? base.name, bridge, text }))
  })
}

function forwardTexts(bridge: string): string[] {
  return [`iifname "${bridge}" accept`, `oifname "${bridge}" accept`]
}

function inputTexts(family: AcceptRule['family'], bridge: string, gateway: string): string[] {
  const to = (match: string) => `iifname "${bridge}" ${match} accept`
  const ipv4 = [to(`ip daddr ${gateway}`), to('ip daddr 255.255.255.255')]
  const ipv6 = [to(`ip6 daddr ${ipv6Gateway}`), to('ip6 daddr ff02::/16')]
  return [...(family === 'ip6' ? [] : ipv4), ...(family === 'ip' ? [] : ipv6)]
}

function drops(ruleset: Ruleset, base: NftChain): boolean {
  if (base.policy === 'drop') return true
  const chains = reachable(ruleset, base)
  return ruleset.rules.some((rule) => inTable(rule, base) && chains.has(rule.chain) && rule.expr.some(isDrop))
}

function isDrop(expr: NftExpr): boolean {
  const target = expr['xt'] as { name?: string } | undefined
  return 'drop' in expr || 'reject' in expr || target?.name === 'REJECT' || target?.name === 'DROP'
}

function reachable(ruleset: Ruleset, base: NftChain): Set<string> {
  const found = new Set([base.name])
  for (const chain of found) {
    for (const rule of ruleset.rules) {
      if (!inTable(rule, base) || rule.chain !== chain) continue
      for (const expr of rule.expr) {
        const next = (expr['jump'] ?? expr['goto']) as { target?: string } | undefined
        if (next?.target) found.add(next.target)
      }
    }
  }
  return found
}

function inTable(rule: NftRule, { family, table }: NftChain): boolean {
  return rule.family === family && rule.table === table
}

function* ourRules(ruleset: Ruleset, { short }: HostNames): Generator<{ handle: number; rule: AcceptRule }> {
  const comment = new RegExp(`^berth (br-${short}[a-z2-7]{4})$`)
  for (const { family, table, chain, handle, comment: said = '', expr } of ruleset.rules) {
    const bridge = comment.exec(said)?.[1]
    if (bridge && isFamily(family))
      yield { handle, rule: { family, table, chain, bridge, text: expr.map(wordsOf).filter(Boolean).join(' ') } }
  }
}

type Match = { left?: { meta?: { key: string }; payload?: { protocol: string; field: string } }; right?: unknown }

function wordsOf(expr: NftExpr): string {
  const match = expr['match'] as Match | undefined
  if (match?.left?.meta) return `${match.left.meta.key} ${JSON.stringify(match.right)}`
  if (match?.left?.payload) return `${match.left.payload.protocol} ${match.left.payload.field} ${addressText(match.right)}`
  if ('counter' in expr) return ''
  return 'accept' in expr ? 'accept' : JSON.stringify(expr)
}

function addressText(right: unknown): string {
  const { prefix } = right as { prefix?: { addr: string; len: number } }
  return prefix ? `${prefix.addr}/${prefix.len}` : String(right)
}

function keyOf({ family, table, chain, bridge, text }: AcceptRule): string {
  return [family, table, chain, bridge, text].join('|')
}

/** The part of `nft -j list ruleset` that is read here. */
export type NftRule = { family: string; table: string; chain: string; handle: number; comment?: string; expr: NftExpr[] }
export type NftChain = { family: string; table: string; name: string; type?: string; hook?: string; policy?: string }
export type NftSet = { family: string; table: string; name: string; elem?: unknown[] }
export type NftExpr = Record<string, unknown>
export type Ruleset = { chains: NftChain[]; rules: NftRule[]; sets: NftSet[] }

/** Reads nft's JSON. */
export function parseRuleset(json: string): Ruleset {
  const ruleset: Ruleset = { chains: [], rules: [], sets: [] }
  const { nftables } = JSON.parse(json) as { nftables: { chain?: NftChain; rule?: NftRule; set?: NftSet }[] }
  for (const { chain, rule, set } of nftables) {
    if (chain) ruleset.chains.push(chain)
    if (rule) ruleset.rules.push(rule)
    if (set) ruleset.sets.push(set)
  }
  return ruleset
}

/**
 * The chains and rules of our two tables as text that changes when anybody changes them; counters, handles and the order in which chains were made are
 * left out. Empty without them.
 */
export function chainsText({ chains, rules }: Ruleset, table: string): string {
  const heads = chains
    .filter((chain) => chain.table === table)
    .map(({ family, name, hook, policy }) => `${family} ${name} ${hook ?? '-'} ${policy ?? '-'}`)
  const bodies = Map.groupBy(
    rules.filter((rule) => rule.table === table),
    ({ family, chain }) => `${family} ${chain}`,
  )
  const texts = [...bodies].map(([chain, own]) => own.map(({ expr }) => `${chain} ${exprText(expr)}`).join('\n'))
  return [...heads.toSorted(), ...texts.toSorted()].join('\n')
}

/** Members of a set in the form nft takes them, e.g. `bt1 . 02:… . 10.94.0.2` or `10.94.0.0/24`. */
export function membersOf({ sets }: Ruleset, family: string, table: string, name: string): string[] {
  const set = sets.find((one) => one.family === family && one.table === table && one.name === name)
  return (set?.elem ?? []).map(memberText)
}

function exprText(expr: NftExpr[]): string {
  return JSON.stringify(expr.filter((part) => !('counter' in part)))
}

type Member = string | { concat?: string[]; prefix?: { addr: string; len: number }; elem?: { val: Member } }

function memberText(element: unknown): string {
  const member = element as Member
  if (typeof member === 'string') return member
  if (member.concat) return member.concat.join(' . ')
  if (member.prefix) return `${member.prefix.addr}/${member.prefix.len}`
  return member.elem ? memberText(member.elem.val) : JSON.stringify(member)
}

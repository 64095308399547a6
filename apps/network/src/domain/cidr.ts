/** A range of addresses: `base` has no bit set past `length`. `bits` is 32 for IPv4 and 128 for IPv6. */
export type Cidr = { bits: 32 | 128; base: bigint; length: number }

/** Reads `10.94.0.0/24`, `fd00::/48` or a bare address (the whole length). Bits past the length are cleared. Throws RangeError on anything else. */
export function parseCidr(text: string): Cidr {
  const [address = '', suffix, rest] = text.split('/')
  const bits = address.includes(':') ? 128 : 32
  const length = suffix === undefined ? bits : Number(suffix)
  if (rest !== undefined || suffix === '' || !Number.isInteger(length) || length < 0 || length > bits)
    throw new RangeError(`not a range: ${text}`)
  const base = parseAddress(address)
  return { bits, base: base - (base % size({ bits, length })), length }
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.base, cidr.bits)}/${cidr.length}`
}

/** Reads one address of either family. Throws RangeError when it is none. */
export function parseAddress(text: string): bigint {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** Canonical text of one address. */
export function formatAddress(value: bigint, bits: 32 | 128): string {
  return bits === 32 ? formatIpv4(value) : formatIpv6(value)
}

/** Whether the two ranges share an address; ranges of two families never do. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.bits === b.bits && a.base < b.base + size(b) && b.base < a.base + size(a)
}

/** How many addresses it has. */
export function size({ bits, length }: Pick<Cidr, 'bits' | 'length'>): bigint {
  return 1n << BigInt(bits - length)
}

/** The range's address number `offset`, as text; 0 is its first. */
export function addressAt(cidr: Cidr, offset: bigint): string {
  return formatAddress(cidr.base + offset, cidr.bits)
}

/** Its subnets of `length` in order, at most `limit` of them. */
export function* subnetsOf(range: Cidr, length: number, limit: number): Generator<Cidr> {
  const step = size({ bits: range.bits, length })
  const end = range.base + size(range)
  let base = range.base
  for (let count = 0; count < limit && base + step <= end; count++, base += step) yield { bits: range.bits, base, length }
}

function parseIpv4(text: string): bigint {
  const parts = text.split('.')
  if (parts.length !== 4) throw new RangeError(`not an address: ${text}`)
  return parts.reduce((sum, part) => {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) throw new RangeError(`not an address: ${text}`)
    return sum * 256n + BigInt(part)
  }, 0n)
}

function parseIpv6(text: string): bigint {
  const halves = text.split('::')
  const groups = (half: string | undefined) => (half ? half.split(':') : [])
  const [head, tail] = [groups(halves[0]), groups(halves[1])]
  const missing = 8 - head.length - tail.length
  const bad = halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)
  if (bad || ![...head, ...tail].every((group) => /^[0-9a-f]{1,4}$/i.test(group))) throw new RangeError(`not an address: ${text}`)
  const all = [...head, ...Array<string>(missing).fill('0'), ...tail]
  return all.reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n)
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.')
}

function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16))
  const longest = longestZeroRun(groups)
  if (longest.length < 2) return groups.join(':')
  return `${groups.slice(0, longest.start).join(':')}::${groups.slice(longest.start + longest.length).join(':')}`
}

function longestZeroRun(groups: string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === '0') length++
    if (length > best.length) best = { start, length }
  }
  return best
}

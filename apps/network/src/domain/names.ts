import { formatAddress, parseAddress } from './cidr.ts'

/** Source of random bytes; tests give their own. */
export type RandomBytes = (count: number) => Uint8Array

/** What tells the things of one host id from those of another on the same machine. */
export type HostNames = {
  /** Id of the host. */
  host: string
  /** Four base32 characters, unique among all hosts of the database. */
  short: string
  /** Name of our nftables tables, one in family inet and one in family bridge. */
  table: string
  /** What the names of this host's taps begin with. A rule drops whatever comes from such a tap and is not admitted by its address. */
  tapPrefix: string
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** `count` characters of base32, lower case. */
export function base32(count: number, random: RandomBytes): string {
  return Array.from(random(count), (byte) => alphabet[byte & 31]).join('')
}

/** The names of a host. `short` comes from an allocator with a unique index. */
export function hostNames(host: string, short: string): HostNames {
  return { host, short, table: `berth_${short}`, tapPrefix: `bt${short}` }
}

/** `br-` and eight characters: the host's four and four of the network's own. */
export function bridgeName(names: HostNames, random: RandomBytes): string {
  return `br-${names.short}${base32(4, random)}`
}

/** `bt` and eleven characters: the host's four and seven that number the port; 13 bytes of the 15 the kernel takes. */
export function tapName(names: HostNames, random: RandomBytes): string {
  return `${names.tapPrefix}${base32(7, random)}`
}

/** A locally administered unicast address. */
export function macAddress(random: RandomBytes): string {
  return ['02', ...Array.from(random(5), (byte) => byte.toString(16).padStart(2, '0'))].join(':')
}

/** A unique local range of length 48 (RFC 4193: `fd` and 40 random bits). */
export function uniqueLocalRange(random: RandomBytes): string {
  const bits = random(5).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0xfdn)
  return `${formatAddress(bits << 80n, 128)}/48`
}

/** The link-local address a guest's kernel derives from its Ethernet address (RFC 4291, appendix A). */
export function linkLocal(mac: string): string {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16))
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes
  const group = (high: number, low: number) => ((high << 8) | low).toString(16)
  const text = `fe80:0:0:0:${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}`
  return formatAddress(parseAddress(text), 128)
}

/** What the kernel shows as a link's alias: whose it is, so that an orphan can be told from a stranger. */
export function aliasOf(names: HostNames, resourceId: string): string {
  return `berth ${names.host} ${resourceId}`
}

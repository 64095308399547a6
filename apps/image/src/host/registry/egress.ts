import { lookup as resolve } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { permissionDenied } from '@berth/errors'

const closed = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const)
  closed.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
  ['64:ff9b::', 96],
] as const)
  closed.addSubnet(network, prefix, 'ipv6')

const blocked = () => permissionDenied('EGRESS_BLOCKED', 'the registry lies at an address of this host or its link')

/**
 * Whether a pull may reach this address. This host itself, its link (cloud metadata) and multicast are closed; private networks are open, since
 * that is where private registries live.
 */
export function isOpenAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && !closed.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** @throws PermissionDenied(`EGRESS_BLOCKED`) for a URL that names a closed address itself (no look-up would see it) */
export function checkLiteral(url: URL): void {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isOpenAddress(host)) throw blocked()
}

/** Resolves names for sockets: every answer must be open, and the connection goes to the checked answer, so that rebinding a name gains nothing. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    const first = addresses?.[0]
    if (error || !first) return callback(error ?? new Error('no address'), '', 0)
    if (!addresses.every(({ address }) => isOpenAddress(address))) return callback(blocked(), '', 0)
    if (options.all) return callback(null, addresses)
    return callback(null, first.address, first.family)
  })
}

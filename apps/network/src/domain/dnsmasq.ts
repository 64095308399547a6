import { invalidArgument } from '@berth/errors'
import { parseCidr } from './cidr.ts'
import type { BridgeConfig } from './host-network.ts'

/** Domain in which guests find each other by host name. */
export const guestDomain = 'berth.internal'

/** Where dnsmasq of one network keeps its files. */
export type DnsPaths = { config: string; pidFile: string; hostsDir: string; dhcpDir: string; leaseFile: string }

/** A guest as DNS and DHCP know it. */
export type DnsGuest = { tap: string; mac: string; ipv4: string; ipv6: string; hostname: string }

/**
 * dnsmasq's configuration for one network of this host. It listens on the bridge alone, forwards to the host's resolvers (which it reads itself, so
 * that a resolver on the host's loopback works without ever being shown to a guest) and leases to known guests only.
 */
export function renderDnsmasq(
  { bridge, ipv4Subnet, ipv4Gateway }: BridgeConfig,
  paths: DnsPaths,
  user: string,
  resolvFile: string,
): string {
  const [first = ''] = ipv4Subnet.split('/')
  return `${[
    `interface=${bridge}`,
    'except-interface=lo',
    'bind-dynamic',
    `user=${user}`,
    `pid-file=${paths.pidFile}`,
    `resolv-file=${resolvFile}`,
    'no-hosts',
    'domain-needed',
    'bogus-priv',
    `domain=${guestDomain}`,
    `local=/${guestDomain}/`,
    `hostsdir=${paths.hostsDir}`,
    `dhcp-hostsdir=${paths.dhcpDir}`,
    `dhcp-leasefile=${paths.leaseFile}`,
    `dhcp-range=${first},static,${netmask(parseCidr(ipv4Subnet).length)},1h`,
    `dhcp-option=option:router,${ipv4Gateway}`,
    `dhcp-option=option:dns-server,${ipv4Gateway}`,
    'dhcp-authoritative',
    'quiet-dhcp',
    'log-facility=/dev/null',
  ].join('\n')}\n`
}

/** The guest's names as a hosts file; empty when it has none. */
export function renderHosts({ ipv4, ipv6, hostname }: DnsGuest): string {
  return hostname === '' ? '' : [ipv4, ipv6].map((address) => `${address} ${hostname}.${guestDomain} ${hostname}\n`).join('')
}

/** The guest's lease for a guest that asks by DHCP. */
export function renderLease({ mac, ipv4, hostname }: DnsGuest): string {
  return `${[mac, ipv4, ...(hostname === '' ? [] : [hostname]), 'infinite'].join(',')}\n`
}

/**
 * A host name as DNS takes it, for it goes into files that dnsmasq reads.
 *
 * @throws InvalidArgument(`BAD_HOSTNAME`)
 */
export function checkHostname(hostname: string): string {
  if (hostname !== '' && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(hostname)) {
    throw invalidArgument('BAD_HOSTNAME', 'a host name is 1 to 63 of a-z, 0-9 and -, with no - at its ends', { field: 'hostname' })
  }
  return hostname
}

/** Resolvers of the host that a guest can reach itself: those on a loopback address are left out. */
export function reachableResolvers(resolvConf: string): string[] {
  const all = [...resolvConf.matchAll(/^\s*nameserver\s+([0-9a-fA-F.:]+)\s*$/gm)].map(([, address = '']) => address)
  return all.filter((address) => !address.startsWith('127.') && address !== '::1')
}

function netmask(length: number): string {
  const bits = (0xffff_ffff << (32 - length)) >>> 0
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.')
}

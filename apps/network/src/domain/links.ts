import { parseCidr } from './cidr.ts'
import { type BridgeConfig, ipv6Gateway, type PortConfig } from './host-network.ts'
import { aliasOf, type HostNames } from './names.ts'

/** `ip -batch` lines that make the bridge with its addresses; `exists` leaves out its creation. */
export function renderBridge(names: HostNames, config: BridgeConfig, exists: boolean): string[] {
  const { bridge, mac, ipv4Gateway, ipv4Subnet, ipv6Subnet, networkId } = config
  const length = parseCidr(ipv4Subnet).length
  return [
    ...(exists ? [] : [`link add name ${bridge} address ${mac} type bridge`]),
    `link set dev ${bridge} address ${mac} alias "${aliasOf(names, networkId)}"`,
    // No address of the kernel's own choice: the gateway's is the only one.
    `link set dev ${bridge} addrgenmode none`,
    `link set dev ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set dev ${bridge} up`,
    `addr replace ${ipv4Gateway}/${length} brd + dev ${bridge}`,
    `addr replace ${ipv6Gateway}/64 dev ${bridge} nodad`,
    // What no guest has is answered here instead of leaving by the default route.
    `route replace unreachable ${ipv6Subnet} dev lo metric 4096`,
  ]
}

/** `ip -batch` lines that make the tap, isolated from all others on layer 2. It may take it down, never up. */
export function renderTap(names: HostNames, { tap, bridge, uid, portId, up }: PortConfig, exists: boolean): string[] {
  return [
    ...(exists ? [] : [`tuntap add dev ${tap} mode tap user ${uid}`]),
    `link set dev ${tap} alias "${aliasOf(names, portId)}"`,
    `link set dev ${tap} addrgenmode none`,
    `link set dev ${tap} master ${bridge}`,
    `link set dev ${tap} type bridge_slave isolated on learning off flood off`,
    ...(up ? [] : [`link set dev ${tap} down`]),
  ]
}

/**
 * `ip -batch` lines that tell the host where the guest is. Neighbours are permanent: no guest can speak for another's address, and no first packet
 * waits for an answer.
 */
export function renderGuest({ bridge, mac, ipv4, ipv6 }: PortConfig): string[] {
  return [
    `neigh replace ${ipv4} lladdr ${mac} dev ${bridge} nud permanent`,
    `neigh replace ${ipv6} lladdr ${mac} dev ${bridge} nud permanent`,
    `route replace ${ipv6}/128 dev ${bridge}`,
  ]
}

/** Lines that take all of it back; each may find nothing. */
export function renderGuestRemoval({ bridge, tap, ipv4, ipv6 }: PortConfig): string[] {
  return [
    `link set dev ${tap} down`,
    `link del dev ${tap}`,
    `route del ${ipv6}/128 dev ${bridge}`,
    `neigh del ${ipv4} dev ${bridge}`,
    `neigh del ${ipv6} dev ${bridge}`,
  ]
}

/** `bridge -batch` line: the only way to the guest's Ethernet address is its own tap, learning being off. */
export function renderForwarding({ tap, mac }: PortConfig): string {
  return `fdb replace ${mac} dev ${tap} master static`
}

/** Kernel settings of a bridge and of the whole host, by their name below /proc/sys. */
export function settingsOf(bridge: string): Record<string, string> {
  return {
    [`net/ipv4/conf/${bridge}/proxy_arp_pvlan`]: '1',
    [`net/ipv4/conf/${bridge}/send_redirects`]: '0',
    [`net/ipv4/conf/${bridge}/accept_redirects`]: '0',
    [`net/ipv4/conf/${bridge}/rp_filter`]: '1',
    [`net/ipv4/neigh/${bridge}/proxy_delay`]: '0',
    [`net/ipv6/neigh/${bridge}/proxy_delay`]: '0',
    [`net/ipv6/conf/${bridge}/disable_ipv6`]: '0',
    [`net/ipv6/conf/${bridge}/accept_ra`]: '0',
    [`net/ipv6/conf/${bridge}/accept_redirects`]: '0',
  }
}

/** Settings that outlive our bridges: their former values are recorded before they change, and put back by the clean-up. */
export const hostSettings: Record<string, string> = {
  'net/ipv4/conf/all/send_redirects': '0',
  'net/ipv4/ip_forward': '1',
  'net/ipv6/conf/all/forwarding': '1',
}

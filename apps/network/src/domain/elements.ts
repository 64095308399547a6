import { type BridgeConfig, type HostConfig, ipv6Gateway, type PortConfig } from './host-network.ts'
import { linkLocal } from './names.ts'

/** One member of one set of our tables. `value` is in nft's words and has the form in which nft lists it. */
export type Element = { family: 'inet' | 'bridge'; set: string; value: string; resourceId: string }

/** The sets whose members come and go with networks and ports. */
export const memberSets: readonly Pick<Element, 'family' | 'set'>[] = [
  ...['bridges', 'open', 'gateways4', 'gateways6', 'subnets4', 'subnets6'].map((set) => ({ family: 'inet' as const, set })),
  ...['macs', 'addresses4', 'addresses6'].map((set) => ({ family: 'bridge' as const, set })),
]

/** The members a network puts into the sets. */
export function bridgeElements({ bridge, networkId, ipv4Subnet, ipv4Gateway, ipv6Subnet }: BridgeConfig): Element[] {
  const inet = (set: string, value: string): Element => ({ family: 'inet', set, value, resourceId: networkId })
  return [
    inet('bridges', bridge),
    inet('open', `${bridge} . ${bridge}`),
    inet('gateways4', `${bridge} . ${ipv4Gateway}`),
    inet('gateways6', `${bridge} . ${ipv6Gateway}`),
    inet('subnets4', ipv4Subnet),
    inet('subnets6', ipv6Subnet),
  ]
}

/** The members a port puts into the sets: which Ethernet and IP addresses may come from its tap. */
export function portElements({ tap, mac, ipv4, ipv6, portId }: PortConfig): Element[] {
  const bridge = (set: string, value: string): Element => ({ family: 'bridge', set, value, resourceId: portId })
  return [
    bridge('macs', `${tap} . ${mac}`),
    bridge('addresses4', `${tap} . ${mac} . ${ipv4}`),
    bridge('addresses6', `${tap} . ${mac} . ${ipv6}`),
    bridge('addresses6', `${tap} . ${mac} . ${linkLocal(mac)}`),
  ]
}

/** All members that the sets of a host may have. */
export function allElements({ bridges, ports }: HostConfig): Element[] {
  return [...bridges.flatMap(bridgeElements), ...ports.flatMap(portElements)]
}

/** Those they must have: a port that is down may have its own, and gets them before it goes up. */
export function neededElements({ names, bridges, ports }: HostConfig): Element[] {
  return allElements({ names, bridges, ports: ports.filter(({ up }) => up) })
}

/** The line that puts it in; repeating it does nothing. */
export function addElement(table: string, { family, set, value }: Element): string {
  return `add element ${family} ${table} ${set} { ${quoteNames(value)} }`
}

/** The lines that take it out, whether it is in or not: nft refuses to delete what is not there, so it is put in first. */
export function dropElement(table: string, element: Element): string {
  return `${addElement(table, element)}\n${deleteElement(table, element)}`
}

/** The line that takes a member out that is there. */
export function deleteElement(table: string, { family, set, value }: Omit<Element, 'resourceId'>): string {
  return `delete element ${family} ${table} ${set} { ${quoteNames(value)} }`
}

// Names of links are quoted, so that none can be read as a word of nft's.
function quoteNames(value: string): string {
  return value.replaceAll(/\b(br-|bt)[a-z2-7]+/g, '"$&"')
}

import type { Ruleset } from './ruleset.ts'

/** One link of the host. */
export type Link = {
  name: string
  /** `bridge`, `tun`, `veth`, …; empty for hardware. */
  kind: string
  up: boolean
  mac: string
  alias: string
  master: string
  /** Owner of a tap; undefined for other links. */
  user: number | undefined
  isolated: boolean
  learning: boolean
  flood: boolean
}

/** What the host says of itself. */
export type Measured = {
  links: Map<string, Link>
  /** `<link> <address>/<length>` */
  addresses: Set<string>
  /** Permanent neighbours: `<link> <address> <mac>` */
  neighbours: Set<string>
  /** IPv6 routes to single addresses: `<link> <address>` */
  hostRoutes: Set<string>
  /** Static forwarding entries: `<link> <mac>` */
  forwarding: Set<string>
  /** Kernel settings that were asked for, by name; undefined where the kernel has none. */
  settings: Map<string, string | undefined>
  ruleset: Ruleset
}

type IpLink = {
  ifname: string
  flags: string[]
  address?: string
  ifalias?: string
  master?: string
  linkinfo?: {
    info_kind?: string
    info_data?: { user?: number | string }
    info_slave_data?: Partial<Record<'isolated' | 'learning' | 'flood', boolean>>
  }
}

/** Reads `ip -d -j link show`. */
export function parseLinks(json: string): Map<string, Link> {
  const links = list<IpLink>(json).map(({ ifname, flags, address = '', ifalias = '', master = '', linkinfo }): [string, Link] => {
    const { info_kind: kind = '', info_data: data, info_slave_data: slave } = linkinfo ?? {}
    const user = data?.user === undefined ? undefined : Number(data.user)
    const { isolated = false, learning = true, flood = true } = slave ?? {}
    return [ifname, { name: ifname, kind, up: flags.includes('UP'), mac: address, alias: ifalias, master, user, isolated, learning, flood }]
  })
  return new Map(links)
}

/** Reads `ip -j addr show`. */
export function parseAddresses(json: string): Set<string> {
  type Row = { ifname: string; addr_info?: { local: string; prefixlen: number }[] }
  return new Set(
    list<Row>(json).flatMap(({ ifname, addr_info = [] }) => addr_info.map(({ local, prefixlen }) => `${ifname} ${local}/${prefixlen}`)),
  )
}

/** Reads `ip -j neigh show nud permanent`. */
export function parseNeighbours(json: string): Set<string> {
  return new Set(list<{ dev: string; dst: string; lladdr?: string }>(json).map(({ dev, dst, lladdr }) => `${dev} ${dst} ${lladdr ?? ''}`))
}

/** Reads `bridge -j fdb show`: static entries alone. */
export function parseForwarding(json: string): Set<string> {
  const rows = list<{ ifname: string; mac: string; state?: string }>(json)
  return new Set(rows.filter(({ state }) => state === 'static').map(({ ifname, mac }) => `${ifname} ${mac}`))
}

type IpRoute = { dst: string; dev?: string; type?: string }

/** Reads `ip -6 -j route show`: routes to one address over a link. */
export function parseHostRoutes(json: string): Set<string> {
  const single = list<IpRoute>(json).filter(
    ({ dst, dev, type = 'unicast' }) => dev !== undefined && type === 'unicast' && /^[0-9a-f:]+$/.test(dst),
  )
  return new Set(single.map(({ dev, dst }) => `${dev ?? ''} ${dst}`))
}

/** Reads `ip -j route show table all`: every destination that is a range. */
export function parseDestinations(json: string): string[] {
  const all = list<IpRoute>(json).map(({ dst }) => dst)
  return [...new Set(all)].filter((dst) => /^[0-9a-f.:]+(\/\d+)?$/.test(dst))
}

// ip prints nothing at all, or an empty object, where it has nothing to say.
function list<Row>(json: string): Row[] {
  const rows = json.trim() === '' ? [] : (JSON.parse(json) as Row[])
  return rows.filter((row) => Object.keys(row as object).length > 0)
}

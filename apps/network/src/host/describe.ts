import type { HostConfig } from '../domain/host-network.ts'
import type { Link, Measured } from '../domain/measured.ts'
import { membersOf } from '../domain/ruleset.ts'

/** The measured state of what is ours as sorted lines of text, for people, logs and tests. */
export function describeHost({ names, bridges, ports }: HostConfig, measured: Measured): string {
  const own = new Set([...bridges.map(({ bridge }) => bridge), ...ports.map(({ tap }) => tap)])
  const starts = (entry: string) => own.has(entry.split(' ')[0] ?? '')
  const lines = (title: string, entries: Iterable<string>) => [...entries].filter(starts).map((entry) => `${title} ${entry}`)
  const { links, addresses, neighbours, hostRoutes, forwarding, ruleset } = measured
  const members = ruleset.sets
    .filter(({ table }) => table === names.table)
    .flatMap(({ family, name }) => membersOf(ruleset, family, names.table, name).map((value) => `member ${family} ${name} ${value}`))
  return [
    ...lines('link', [...links.values()].map(linkText)),
    ...lines('address', addresses),
    ...lines('neighbour', neighbours),
    ...lines('route', hostRoutes),
    ...lines('forward', forwarding),
    ...members,
  ]
    .sort()
    .join('\n')
}

function linkText({ name, kind, up, mac, master, user, isolated }: Link): string {
  const words = [
    name,
    kind,
    up ? 'up' : 'down',
    kind === 'tun' ? '' : mac,
    master && `on ${master}`,
    user === undefined ? '' : `user ${user}`,
  ]
  return [...words, isolated ? 'isolated' : ''].filter(Boolean).join(' ')
}

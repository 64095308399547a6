import { resourceExhausted } from '@berth/errors'
import { type Cidr, formatCidr, overlaps, parseCidr, subnetsOf } from './cidr.ts'

export type Choice = {
  subnet: string
  /** Why it is not the first of the range; empty when it is, or when only other hosts of the network stood before it. */
  reason: string
}

export type ChooseInput = {
  /** Range the network's hosts take their subnets from, CIDR. */
  range: string
  /** Prefix length of a host's subnet. */
  length: number
  /** Subnets given away already: to other hosts of this network, or to other networks of this host. */
  taken: string[]
  /** Destinations of every route of this host; a default route may be among them. */
  routes: string[]
  /** Ranges to fall back to when the whole of `range` is in use, in order. */
  fallbacks?: string[]
}

const looked = 65_536

/**
 * Picks the first subnet of the range that nobody has and that no route of the host covers.
 *
 * @throws ResourceExhausted(`NO_FREE_SUBNET`)
 */
export function chooseSubnet({ range, length, taken, routes, fallbacks = [] }: ChooseInput): Choice {
  const used = taken.map(parseCidr)
  const covered = routes.map(parseCidr).filter((route) => route.length > 0)
  let hindrance = ''
  for (const candidate of [range, ...fallbacks]) {
    for (const subnet of subnetsOf(parseCidr(candidate), length, looked)) {
      if (used.some((other) => overlaps(other, subnet))) continue
      const route = covered.find((other) => overlaps(other, subnet))
      if (!route) return { subnet: formatCidr(subnet), reason: hindrance }
      hindrance ||= explain(subnet, route)
    }
  }
  throw resourceExhausted('NO_FREE_SUBNET', `no free subnet of length ${length} is left in ${range}`, { metadata: { range } })
}

function explain(subnet: Cidr, route: Cidr): string {
  return `${formatCidr(subnet)} overlaps the host's route to ${formatCidr(route)}`
}

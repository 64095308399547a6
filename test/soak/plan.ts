/** What can be shot at, and whether guests may notice. */
export const KINDS = {
  'kill-service': 'control',
  'pause-service': 'control',
  'kill-supervisor': 'control',
  'kill-postgres': 'control',
  'kill-nats': 'control',
  'kill-everything': 'control',
  'flush-rules': 'network',
  'delete-bridge': 'network',
  'delete-tap': 'guest',
  'kill-vmm': 'guest',
} as const

export type Kind = keyof typeof KINDS

export const SERVICES = ['image', 'volume', 'network', 'device', 'instance', 'gateway'] as const

export interface Shot {
  readonly kind: Kind
  /** A service's name, or the number of a guest's place; empty where the kind says it all. */
  readonly target: string
  /** Milliseconds after the round's load has begun. */
  readonly atMs: number
  /** How long a pause lasts. */
  readonly forMs: number
}

export interface Round {
  readonly number: number
  /** What becomes of each guest's place while it is shot at: the guest is run in, or deleted and made anew. */
  readonly places: readonly ('keep' | 'renew')[]
  /** In the order of their time. */
  readonly shots: readonly Shot[]
}

/** Rounds without end, decided by the seed and the number of places alone. */
export function* rounds(seed: number, places: number): Generator<Round, never> {
  const random = generator(seed)
  const below = (count: number) => Math.floor(random() * count)
  let bag: Kind[] = []
  let services: string[] = []
  const draw = (): Kind => {
    if (bag.length === 0) bag = shuffled(Object.keys(KINDS) as Kind[], below)
    return bag.pop() as Kind
  }
  const service = (): string => {
    if (services.length === 0) services = shuffled([...SERVICES], below)
    return services.pop() as string
  }
  for (let number = 1; ; number += 1) {
    const actions = Array.from({ length: places }, () => (random() < 0.3 ? 'renew' : 'keep'))
    // Who is run in and who is made are both there in every round.
    const kept = below(places)
    actions[kept] = 'keep'
    actions[(kept + 1 + below(places - 1)) % places] = 'renew'
    const drawn = new Set<Kind>()
    for (let count = 1 + below(3); count > 0; count -= 1) drawn.add(draw())
    const shots = [...drawn].map((kind) => {
      const target = KINDS[kind] === 'guest' ? String(kept) : kind.endsWith('-service') ? service() : ''
      return { kind, target, atMs: 200 + below(6_000), forMs: 500 + below(6_000) }
    })
    yield { number, places: actions as Round['places'], shots: shots.toSorted((a, b) => a.atMs - b.atMs) }
  }
}

/** One line for people. */
export function shotText({ kind, target, atMs, forMs }: Shot): string {
  const long = kind === 'pause-service' ? ` for ${forMs} ms` : ''
  return `${kind}${target && ` ${target}`} at ${atMs} ms${long}`
}

function shuffled<T>(items: T[], below: (count: number) => number): T[] {
  const left = [...items]
  return items.map(() => left.splice(below(left.length), 1)[0] as T)
}

/** mulberry32: numbers from 0 to 1, the same for the same seed on every machine. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

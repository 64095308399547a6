import { randomFillSync } from 'node:crypto'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
/** Random bits come from the system for so many ids at once. */
const pool = Buffer.alloc(10 * 400)
let used = pool.length
let lastMs = 0
let lastTime = ''
let lastRandom = 0n

/**
 * A new id: prefix, `_`, lower-case ULID. Ids made by one process grow strictly, also within a millisecond and when the clock steps back.
 *
 * @param prefix without the underscore, e.g. `ins`
 */
export function newId(prefix: string): string {
  const nowMs = Date.now()
  if (nowMs > lastMs) {
    lastMs = nowMs
    lastTime = encode(BigInt(lastMs), 10)
    lastRandom = BigInt(`0x${random()}`) >> 1n
  } else {
    lastRandom += 1n
  }
  return `${prefix}_${lastTime}${encode(lastRandom, 16)}`
}

function random(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += 10
  return pool.toString('hex', used - 10, used)
}

function encode(value: bigint, length: number): string {
  return value
    .toString(32)
    .padStart(length, '0')
    .replaceAll(/[i-v]/g, (digit) => alphabet[Number.parseInt(digit, 32)] as string)
}

/** Whether a reference is an id; names hold no underscore. */
export function isId(reference: string): boolean {
  return reference.includes('_')
}

const operationPrefixes: Record<string, string> = {
  image: 'imgop',
  volume: 'volop',
  network: 'netop',
  device: 'devop',
  instance: 'insop',
}

/** Prefix of the operations of a service; it says who owns them. */
export function operationPrefix(service: string): string {
  return operationPrefixes[service] ?? `${service.slice(0, 3)}op`
}

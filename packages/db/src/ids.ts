import { randomBytes } from 'node:crypto'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
let lastMs = 0
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
    lastRandom = BigInt(`0x${randomBytes(10).toString('hex')}`) >> 1n
  } else {
    lastRandom += 1n
  }
  return `${prefix}_${encode(BigInt(lastMs), 10)}${encode(lastRandom, 16)}`
}

function encode(value: bigint, length: number): string {
  let text = ''
  for (let rest = value, left = length; left > 0; left -= 1, rest >>= 5n) text = alphabet[Number(rest & 31n)] + text
  return text
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

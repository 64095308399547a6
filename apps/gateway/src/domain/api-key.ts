import { createHash, randomBytes } from 'node:crypto'

const wellFormed = /^berth_[A-Za-z0-9_-]{22,128}$/

/** A new API key: `berth_` and 256 random bits. It is shown once; only its hash is kept. */
export function makeApiKey(): string {
  return `berth_${randomBytes(32).toString('base64url')}`
}

/** Whether a text can be an API key at all; at least 128 bits. */
export function isApiKey(text: string): boolean {
  return wellFormed.test(text)
}

/** What of a key is kept. A plain hash is enough for a random key of this length: there is nothing to guess. */
export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('base64url')
}

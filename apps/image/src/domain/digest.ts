import { invalidArgument } from '@berth/errors'

/** `sha256:` and 64 lower-case hex digits, checked. Only a checked digest becomes part of a path. */
export type Digest = `sha256:${string}`

const PATTERN = /^sha256:[0-9a-f]{64}$/

export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && PATTERN.test(value)
}

/** @throws InvalidArgument(`DIGEST_INVALID`) for other algorithms, upper case and wrong lengths too */
export function parseDigest(value: unknown, field = 'reference'): Digest {
  if (isDigest(value)) return value
  throw invalidArgument('DIGEST_INVALID', 'a digest is “sha256:” and 64 lower-case hex digits', { field })
}

/** The 64 hex digits, which is what files are named by. */
export const hexOf = (digest: Digest): string => digest.slice('sha256:'.length)

export const digestOfHex = (hex: string): Digest => parseDigest(`sha256:${hex}`)

import { type BerthError, isBerthError, unavailable } from '@berth/errors'

/** What may pass is tried again for so long. */
const patienceMs = 60_000
/** Ours, or a neighbour's that restarts; what a registry or a user's choice causes comes with other reasons and is final at once. */
const passing = new Set([
  'DATABASE_UNAVAILABLE',
  'DATABASE_READ_ONLY',
  'DATABASE_SLOW',
  'CONFLICT',
  'UNAVAILABLE',
  'SHUTTING_DOWN',
  'LEASE_LOST',
  'DEADLINE_EXCEEDED',
  'SHIM_UNREACHABLE',
])

/** Tried again until it is done, however long it takes: nobody waits for it, and nothing else can be done about it. */
const unending = new Set(['LEASE_LOST', 'DATABASE_UNAVAILABLE', 'STILL_HELD'])

/** A VM that is off holds what only a living one may, and nobody asked for anything. */
export function stillHeld(cause: unknown): BerthError {
  return unavailable('STILL_HELD', 'what only a VM that runs may hold is not given back yet', { cause })
}

/**
 * Whether an error ends what was asked, rather than being tried again.
 *
 * @param tried.askedMs when it was asked for or, by policy, due
 * @param tried.failingSinceMs since when every try has failed; undefined when this is the first one. What came before, as the pull of a large image,
 *   takes no patience from a neighbour that restarts after it; nor does the time in which this service was away.
 */
export function isFinal(error: unknown, { askedMs, failingSinceMs }: Tried, nowMs: number): boolean {
  if (!isBerthError(error)) return true
  if (unending.has(error.reason)) return false
  return !passing.has(error.reason) || nowMs - Math.max(askedMs, failingSinceMs ?? nowMs) > patienceMs
}

export type Tried = { askedMs: number; failingSinceMs: number | undefined }

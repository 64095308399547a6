import { type BerthError, isBerthError, unavailable } from '@berth/errors'

/** What may pass is tried again for so long after it was asked for. */
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

/** Whether an error ends what was asked, rather than being tried again. */
export function isFinal(error: unknown, askedMs: number, nowMs: number): boolean {
  if (!isBerthError(error)) return true
  if (unending.has(error.reason)) return false
  return !passing.has(error.reason) || nowMs - askedMs > patienceMs
}

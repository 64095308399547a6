import { isBerthError } from '@berth/errors'

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

/** Whether an error ends what was asked, rather than being tried again. */
export function isFinal(error: unknown, askedMs: number, nowMs: number): boolean {
  if (!isBerthError(error)) return true
  if (error.reason === 'LEASE_LOST' || error.reason === 'DATABASE_UNAVAILABLE') return false
  return !passing.has(error.reason) || nowMs - askedMs > patienceMs
}

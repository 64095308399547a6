import { failedPrecondition } from '@berth/errors'

/** Objects that one clean-up removes at most where its caller names no other number. */
const defaultLimit = 10
/** Objects that one call is about at most, whatever its caller says: what `CleanHostRequest` takes. */
const mostAtOnce = 10_000

/**
 * Refuses a clean-up that would remove more than its caller expects: a database that has lost its rows makes everything an orphan.
 *
 * @param asked 0 is the default of 10
 * @throws FailedPrecondition(`TOO_MANY_REMOVALS`) with `found` and `limit`
 */
export function checkRemovals(found: number, asked: number): void {
  const limit = asked || defaultLimit
  if (found <= limit) return
  const way = found > mostAtOnce ? `name at most ${mostAtOnce} at a time` : `allow as many with max_removals (--max-removals ${found})`
  const text = `${found} objects would be removed and ${limit} may be: nothing was; look at them, then ${way}`
  throw failedPrecondition('TOO_MANY_REMOVALS', text, { metadata: { found: String(found), limit: String(limit) } })
}

/** Refuses what is more than one call can be about. @throws FailedPrecondition(`TOO_MANY_REMOVALS`) */
export function checkScope(found: number): void {
  checkRemovals(found, mostAtOnce)
}

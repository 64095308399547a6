import { unauthenticated, unavailable } from '@berth/errors'
import { fetchKeySet, readKeySet, type TrustedKey, writeKeySet } from './key-set.ts'

export type KeySourceOptions = {
  /** Where the gateway serves its key set; undefined asks nobody. */
  jwksUrl?: string
  /** Where the last good set is kept; undefined keeps none. */
  cacheFile?: string
  /** A fetch is not repeated sooner than this, in milliseconds; default 5 s. */
  minIntervalMs?: number
  /** A set older than this is fetched again beside the call, in milliseconds; default 5 minutes. */
  maxAgeMs?: number
}

/** Finds the key with an id: in the set at hand, then in a fresh one. */
export type KeySource = (kid: string) => Promise<TrustedKey>

/**
 * Keys of gateways and hosts. An unknown id makes it fetch the set, but not more often than the interval, so that a flood of
 * forged ids costs the gateway nothing.
 *
 * @throws UNAUTHENTICATED (`BAD_TOKEN`) for an id that a fresh set does not hold, UNAVAILABLE (`KEYS_UNREACHABLE`) when there is no fresh set
 */
export function keySource({ jwksUrl, cacheFile, minIntervalMs = 5000, maxAgeMs = 300_000 }: KeySourceOptions): KeySource {
  let keys: Map<string, TrustedKey> | undefined
  let fetching: Promise<void> | undefined
  let triedAt = Number.NEGATIVE_INFINITY
  let goodAt = Number.NEGATIVE_INFINITY

  async function refresh(url: string): Promise<void> {
    triedAt = performance.now()
    const fresh = await fetchKeySet(url)
    keys = fresh.keys
    goodAt = performance.now()
    // A full disk must not refuse callers.
    if (cacheFile) await writeKeySet(cacheFile, fresh.text).catch(() => undefined)
  }
  function fetchOnce(): Promise<void> {
    if (!jwksUrl) return Promise.resolve()
    if (!fetching && performance.now() - triedAt < minIntervalMs) return Promise.resolve()
    fetching ??= refresh(jwksUrl)
      .catch(() => undefined)
      .finally(() => {
        fetching = undefined
      })
    return fetching
  }

  return async (kid) => {
    keys ??= cacheFile ? await readKeySet(cacheFile) : new Map()
    const known = keys.get(kid)
    if (known) {
      if (performance.now() - goodAt > maxAgeMs) void fetchOnce()
      return known
    }
    await fetchOnce()
    const found = keys.get(kid)
    if (found) return found
    if (jwksUrl && goodAt < triedAt) {
      throw unavailable('KEYS_UNREACHABLE', 'the keys that could prove this token cannot be fetched now', { retryAfterMs: minIntervalMs })
    }
    throw unauthenticated('BAD_TOKEN', 'the token is signed with a key nobody knows')
  }
}

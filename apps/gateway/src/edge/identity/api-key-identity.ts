import { unauthenticated } from '@berth/errors'
import type { Authenticator, Caller } from '@berth/rpc'
import { hashApiKey, isApiKey } from '../../domain/api-key.ts'
import type { ApiKeyStore } from '../../domain/ports.ts'

export type ApiKeyIdentityOptions = {
  store: ApiKeyStore
  /** How long a found key is taken without asking again, in milliseconds: a revoked key ends within this; default 30 s. */
  freshMs?: number
  /** How long a found key is taken while the database cannot be asked, in milliseconds; default 5 minutes. */
  staleMs?: number
  /** How often a key's use is noted, in milliseconds; default 10 minutes. */
  touchMs?: number
}

type Known = { caller: Caller | undefined; at: number; touchedAt: number }

const maxKnown = 10_000

/**
 * Finds out who an API key belongs to. What was found is kept for a while, found or not, so that neither a busy client nor a flood of
 * wrong keys is felt by the database.
 *
 * `verify` throws UNAUTHENTICATED (`BAD_TOKEN`), UNAVAILABLE (`DATABASE_UNAVAILABLE`)
 */
export function apiKeyIdentity({ store, freshMs = 30_000, staleMs = 300_000, touchMs = 600_000 }: ApiKeyIdentityOptions): Authenticator {
  const known = new Map<string, Known>()

  async function look(hash: string, key: string): Promise<Known> {
    const cached = known.get(hash)
    const now = performance.now()
    if (cached && now - cached.at < freshMs) return cached
    try {
      const found = await store.findByHash(hash)
      const caller: Caller | undefined = found && {
        actor: found.id,
        project: found.project,
        roles: found.roles,
        plane: 'public',
        token: key,
      }
      const entry = { caller, at: now, touchedAt: cached?.touchedAt ?? Number.NEGATIVE_INFINITY }
      if (known.size >= maxKnown && !cached) known.delete(known.keys().next().value ?? '')
      known.set(hash, entry)
      return entry
    } catch (error) {
      if (cached?.caller && now - cached.at < staleMs) return cached
      throw error
    }
  }

  return {
    async verify(key) {
      if (!isApiKey(key)) throw unauthenticated('BAD_TOKEN', 'this is no API key')
      const entry = await look(hashApiKey(key), key)
      if (!entry.caller) throw unauthenticated('BAD_TOKEN', 'nobody holds this API key')
      if (performance.now() - entry.touchedAt > touchMs) {
        entry.touchedAt = performance.now()
        // When it was last used is worth no failed call.
        store.touch(entry.caller.actor).catch(() => undefined)
      }
      return entry.caller
    },
  }
}

import { type Database, newId } from '@berth/db'
import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import type { ApiKeyStore } from '../domain/ports.ts'
import { apiKeys } from './tables.ts'

export function apiKeyStore(db: Database): ApiKeyStore {
  return {
    async findByHash(hash) {
      const where = and(eq(apiKeys.hash, hash), isNull(apiKeys.revokeTime))
      const rows = await db.read((queries) => queries.select().from(apiKeys).where(where))
      const row = rows[0]
      return row && { id: row.id, name: row.name, project: row.project, roles: row.roles }
    },
    async isRevoked(hash) {
      const where = and(eq(apiKeys.hash, hash), isNotNull(apiKeys.revokeTime))
      const rows = await db.read((queries) => queries.select({ id: apiKeys.id }).from(apiKeys).where(where))
      return rows.length > 0
    },
    async add(key) {
      await db.transaction('api_key.add', (tx) =>
        tx
          .insert(apiKeys)
          .values({ id: newId('key'), ...key })
          .onConflictDoNothing({ target: apiKeys.hash }),
      )
    },
    async touch(id) {
      await db.transaction('api_key.touch', (tx) => tx.update(apiKeys).set({ lastUsedTime: new Date() }).where(eq(apiKeys.id, id)))
    },
  }
}

import type { Database } from '@berth/db'
import { gt, sql } from 'drizzle-orm'
import type { SigningKeyStore } from '../domain/ports.ts'
import { signingKeys } from './tables.ts'

export function signingKeyStore(db: Database): SigningKeyStore {
  return {
    async put(keys) {
      const set = { host: sql`excluded.host`, notAfter: sql`excluded.not_after` }
      await db.transaction('signing_key.put', (tx) =>
        tx.insert(signingKeys).values(keys).onConflictDoUpdate({ target: signingKeys.kid, set }),
      )
    },
    async list() {
      const rows = await db.read((queries) => queries.select().from(signingKeys).where(gt(signingKeys.notAfter, sql`now()`)))
      return rows.map(({ kid, publicKey, host, notAfter }) => ({ kid, publicKey, host, notAfter }))
    },
  }
}

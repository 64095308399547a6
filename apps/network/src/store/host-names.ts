import { type Database, isUniqueViolation } from '@berth/db'
import { eq } from 'drizzle-orm'
import { base32, type HostNames, hostNames as namesOf, type RandomBytes } from '../domain/names.ts'
import { hostNames } from './tables.ts'

/** The names of this host, given once and kept. */
export async function allotHostNames(db: Database, host: string, random: RandomBytes): Promise<HostNames> {
  const find = () => db.read((queries) => queries.select().from(hostNames).where(eq(hostNames.host, host)))
  for (;;) {
    const [row] = await find()
    if (row) return namesOf(host, row.short)
    try {
      await db.transaction('network.host_names', (tx) =>
        tx
          .insert(hostNames)
          .values({ host, short: base32(4, random) })
          .onConflictDoNothing({ target: hostNames.host }),
      )
    } catch (error) {
      if (!isUniqueViolation(error, 'host_names_short_key')) throw error
    }
  }
}

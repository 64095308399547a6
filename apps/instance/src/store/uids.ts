import { randomInt } from 'node:crypto'
import type { Database } from '@berth/db'
import { resourceExhausted } from '@berth/errors'
import { inArray } from 'drizzle-orm'
import { instances } from './tables.ts'

/** First and last uid that VMs may get. */
export type UidRange = { first: number; last: number }

const candidates = 16
const rounds = 20

/** Any uid of the range. */
export function drawUid({ first, last }: UidRange): number {
  return randomInt(first, last + 1)
}

/**
 * A uid that no instance has, drawn at random; the unique index has the last word, so that a caller tries again when it says no.
 *
 * @throws ResourceExhausted(`NO_FREE_UID`)
 */
export async function freeUid(db: Database, range: UidRange): Promise<number> {
  for (let round = 0; round < rounds; round += 1) {
    const drawn = Array.from({ length: candidates }, () => drawUid(range))
    const taken = await db.read((queries) => queries.select({ uid: instances.uid }).from(instances).where(inArray(instances.uid, drawn)))
    const free = drawn.find((uid) => !taken.some((row) => row.uid === uid))
    if (free !== undefined) return free
  }
  throw resourceExhausted('NO_FREE_UID', `no uid from ${range.first} to ${range.last} is free`)
}

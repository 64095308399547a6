import { type Database, type Executor, rowsOf, type Tx } from '@berth/db'
import { and, arrayOverlaps, eq, ne, or } from 'drizzle-orm'
import type { Digest } from '../domain/digest.ts'
import { type CopyRow, imageCopies } from './tables.ts'

const rows = rowsOf(imageCopies)

/** What a host has of an image; undefined when it has and wants nothing. */
export async function copyOf(executor: Executor, imageId: string, host: string): Promise<CopyRow | undefined> {
  const [row] = await rows.select(executor, { imageId, host })
  return row
}

/** How many hosts have or want the image. */
export async function copyCount(tx: Tx, imageId: string): Promise<number> {
  return tx.$count(imageCopies, eq(imageCopies.imageId, imageId))
}

export async function changeCopy(tx: Tx, imageId: string, host: string, set: Partial<CopyRow>): Promise<void> {
  await rows.update(tx, set, { imageId, host })
}

export async function removeCopy(tx: Tx, imageId: string, host: string): Promise<void> {
  await rows.remove(tx, { imageId, host })
}

/**
 * Those of `digests` that no other image's copy on this host names: they may be removed. Nobody else may begin to name one until they are, so
 * call it, and record new parts, under the same lock.
 */
export async function unshared(db: Database, host: string, imageId: string, digests: readonly string[]): Promise<Digest[]> {
  if (digests.length === 0) return []
  const wanted = [...digests]
  const named = or(arrayOverlaps(imageCopies.parts, wanted), arrayOverlaps(imageCopies.extra, wanted))
  const where = and(eq(imageCopies.host, host), ne(imageCopies.imageId, imageId), named)
  const others = await db.read((queries) => queries.select().from(imageCopies).where(where))
  const kept = new Set(others.flatMap(({ parts, extra }) => [...parts, ...extra]))
  return wanted.filter((digest) => !kept.has(digest)) as Digest[]
}

/** All copies of a host, for its audit. */
export function copiesOn(db: Database, host: string): Promise<CopyRow[]> {
  return db.read((queries) => queries.select().from(imageCopies).where(eq(imageCopies.host, host)))
}

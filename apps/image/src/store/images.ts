import { type Database, type ResourceStore, resourceStore, type Stored } from '@berth/db'
import { type Image, ImageSchema } from '@berth/proto/berth/image/v1/image_pb.ts'
import { and, asc, eq, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import { copyOf } from './copies.ts'
import { imageCopies, images } from './tables.ts'

export type ImageExtra = { reference: string }
export type ImageRow = Stored<Image, ImageExtra>
export type ImageStore = ResourceStore<Image, ImageExtra>

export const imageStore = (db: Database): ImageStore =>
  resourceStore({ db, table: images, kind: 'image', idPrefix: 'img', schema: ImageSchema })

/**
 * Images as the controller of the host `host` sees them: those of which it has or wants a copy are its own, wherever they were pulled first.
 */
export function viewOf(store: ImageStore, host: string): ImageStore {
  const { db } = store
  const { operations } = db.tables
  const mine = and(eq(imageCopies.imageId, images.id), eq(imageCopies.host, host))
  const idsWhere = (where?: SQL) =>
    db.read((queries) => queries.select({ id: images.id }).from(images).innerJoin(imageCopies, mine).where(where).orderBy(asc(images.id)))
  return {
    ...store,
    async byId(id, tx) {
      const row = await store.byId(id, tx)
      return row && (await copyOf(tx ?? db.queries, id, host)) ? { ...row, host } : row
    },
    async onHost() {
      const rows = await Promise.all((await idsWhere()).map(({ id }) => store.byId(id)))
      return rows.filter((row) => row !== undefined)
    },
    async unsettled() {
      const asked = and(eq(operations.resourceId, images.id), eq(operations.host, host), isNull(operations.endTime))
      const due = or(eq(imageCopies.state, 'PENDING'), isNotNull(images.deleteTime), sql`exists (select from ${operations} where ${asked})`)
      return (await idsWhere(due)).map(({ id }) => id)
    },
  }
}

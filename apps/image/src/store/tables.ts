import type { ErrorStatus } from '@berth/errors'
import { moment, resourceTable } from '@berth/db'
import { jsonb, pgSchema, primaryKey, text } from 'drizzle-orm/pg-core'

const schema = pgSchema('image')

export const images = resourceTable(schema, 'images', { reference: text('reference').notNull() })

/** What one host has of an image. */
export const imageCopies = schema.table(
  'image_copies',
  {
    imageId: text('image_id').notNull(),
    host: text('host').notNull(),
    state: text('state').$type<'PENDING' | 'READY'>().notNull(),
    digest: text('digest').notNull().default(''),
    parts: text('parts').array().notNull().default([]),
    extra: text('extra').array().notNull().default([]),
    readyTime: moment('ready_time'),
  },
  (table) => [primaryKey({ columns: [table.imageId, table.host] })],
)

/** Who uses an image. */
export const imageHolds = schema.table(
  'image_holds',
  {
    ownerKind: text('owner_kind').notNull(),
    ownerId: text('owner_id').notNull(),
    ownerSlot: text('owner_slot').notNull(),
    project: text('project').notNull(),
    host: text('host').notNull(),
    imageId: text('image_id'),
    error: jsonb('error').$type<ErrorStatus>(),
    createTime: moment('create_time').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.ownerKind, table.ownerId, table.ownerSlot] })],
)

export const kernels = resourceTable(schema, 'kernels', {
  kernelDigest: text('kernel_digest').notNull(),
  initramfsDigest: text('initramfs_digest').notNull(),
})

export type CopyRow = typeof imageCopies.$inferSelect
export type HoldRow = typeof imageHolds.$inferSelect

import { moment, resourceTable } from '@berth/db'
import { sql } from 'drizzle-orm'
import { bigint, boolean, pgSchema, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core'

const schema = pgSchema('volume')

export const volumes = resourceTable(schema, 'volumes', {})

export const scratchDisks = resourceTable(schema, 'scratch_disks', {
  ownerKind: text('owner_kind').notNull(),
  ownerId: text('owner_id').notNull(),
  ownerSlot: text('owner_slot').notNull(),
})

export const attachments = schema.table(
  'attachments',
  {
    ownerKind: text('owner_kind').notNull(),
    ownerId: text('owner_id').notNull(),
    ownerSlot: text('owner_slot').notNull(),
    diskId: text('disk_id').notNull(),
    host: text('host').notNull(),
    uid: bigint('uid', { mode: 'number' }).notNull(),
    readOnly: boolean('read_only').notNull(),
    releasing: boolean('releasing').notNull().default(false),
    epoch: bigint('epoch', { mode: 'number' }).notNull(),
    createTime: moment('create_time').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.ownerKind, table.ownerId, table.ownerSlot] }),
    uniqueIndex('attachments_writer_key').on(table.diskId).where(sql`not read_only`),
  ],
)

/** For the comparison with the migrated database. */
export const tables = { volumes, scratchDisks, attachments }

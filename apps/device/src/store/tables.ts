import { resourceTable } from '@berth/db'
import { jsonb, pgSchema, text } from 'drizzle-orm/pg-core'
import type { DeviceFacts } from '../domain/inventory.ts'

const schema = pgSchema('device')

export const devices = resourceTable(schema, 'devices', {
  address: text('address').notNull(),
  facts: jsonb('facts').$type<DeviceFacts>().notNull(),
})

/** For the comparison with the migrated database. */
export const tables = { devices }

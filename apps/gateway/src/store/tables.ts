import { pgSchema, text, timestamp } from 'drizzle-orm/pg-core'

const schema = pgSchema('access')
const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 })

export const apiKeys = schema.table('api_keys', {
  id: text('id').primaryKey(),
  hash: text('hash').notNull(),
  name: text('name').notNull(),
  project: text('project').notNull(),
  roles: text('roles').array().notNull(),
  createTime: moment('create_time').notNull().defaultNow(),
  lastUsedTime: moment('last_used_time'),
  revokeTime: moment('revoke_time'),
})

export const signingKeys = schema.table('signing_keys', {
  kid: text('kid').primaryKey(),
  publicKey: text('public_key').notNull(),
  host: text('host').notNull(),
  createTime: moment('create_time').notNull().defaultNow(),
  notAfter: moment('not_after').notNull(),
})

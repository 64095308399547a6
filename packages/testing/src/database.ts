import { randomBytes } from 'node:crypto'
import { createClient, type Database, openDatabase, roleOf, type SchemaName, urlAs, urlOfDatabase } from '@berth/db'
import { inject } from 'vitest'
import { templateName } from './template.ts'

export type TestDatabase = AsyncDisposable & {
  /** As superuser. */
  adminUrl: string
  /** As the role of a service. */
  urlFor(schema: SchemaName): string
  /** Opens it as a service does; closed with the test database. */
  open(schema: SchemaName): Database
  /** Runs SQL as superuser. */
  sql(text: string): Promise<Record<string, unknown>[]>
}

/** A migrated database of its own, dropped at the end: `await using database = await testDatabase()`, or once per file in `beforeAll`. */
export async function testDatabase(): Promise<TestDatabase> {
  const { url, passwords } = inject('postgres')
  const name = `t_${randomBytes(8).toString('hex')}`
  await asAdmin(url, (admin) => admin.unsafe(`create database ${name} template ${templateName}`))
  const adminUrl = urlOfDatabase(url, name)
  const opened: Database[] = []
  const urlFor = (schema: SchemaName): string => urlAs(adminUrl, roleOf(schema), passwords[schema])
  return {
    adminUrl,
    urlFor,
    open(schema) {
      const database = openDatabase({ url: urlFor(schema), schema })
      opened.push(database)
      return database
    },
    sql: (text) => asAdmin(adminUrl, (admin) => admin.unsafe(text)),
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((database) => database[Symbol.asyncDispose]()))
      await asAdmin(url, (admin) => admin.unsafe(`drop database ${name} with (force)`))
    },
  }
}

async function asAdmin<T>(url: string, run: (admin: ReturnType<typeof createClient>) => Promise<T>): Promise<T> {
  const admin = createClient({ url, pool: 1, name: 'berth-test' })
  try {
    return await run(admin)
  } finally {
    await admin.end({ timeout: 5 })
  }
}

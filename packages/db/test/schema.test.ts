import { rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { home, makeTempDir, testDatabase } from '@berth/testing'
import { eq, sql } from 'drizzle-orm'
import { expect, inject, it } from 'vitest'
import { createClient, migrate, openDatabase, rolePasswords, schemaNames, tableDifferences, urlOfDatabase } from '../src/index.ts'
import { sampleVolumes as volumes, volumesSql } from '@berth/testing'

it('gives a service its own schema and nothing of another', async () => {
  await using database = await testDatabase()
  const db = database.open('volume')
  await db.ping()
  const attempt = (text: string) => db.queries.execute(sql.raw(text)).catch((error: { cause: { code: string } }) => error.cause.code)
  for (const text of [
    'select * from image.outbox',
    'insert into image.request_ids values ()',
    'delete from network.leases',
    'create table volume.mine (a int)',
    'create schema mine',
    'select * from berth.migrations',
    `update volume.cluster set id = 'x'`,
    `copy (select 1) to program 'true'`,
    `alter role berth_volume superuser`,
  ])
    expect([text, await attempt(text)]).toEqual([text, text.includes('values ()') ? '42601' : '42501'])
})

it('sets the time limits on the role, where a pooler keeps them', async () => {
  await using database = await testDatabase()
  const [row] = await database
    .open('volume')
    .queries.execute(
      sql`select current_setting('statement_timeout') as s, current_setting('lock_timeout') as l, current_setting('idle_in_transaction_session_timeout') as i`,
    )
  expect(row).toEqual({ s: '30s', l: '5s', i: '1min' })
})

it('describes in code the tables that the migrations make', async () => {
  await using database = await testDatabase()
  await database.sql(volumesSql)
  for (const name of schemaNames.filter((schema) => schema !== 'volume')) {
    const lines = await tableDifferences(database.open(name), {})
    expect(lines.filter((line) => /^missing in the database|: (operations|outbox|relay|request_ids|leases|cluster)\./.test(line))).toEqual(
      [],
    )
  }
  expect((await tableDifferences(database.open('volume'), { volumes })).filter((line) => line.includes('test_volumes'))).toEqual([])
})

it('migrates once, in whatever number at a time, and keeps the passwords of roles that exist', async () => {
  const { url, passwords } = inject('postgres')
  const admin = createClient({ url, pool: 1 })
  await admin.unsafe('create database migrated_twice')
  try {
    const options = { url: urlOfDatabase(url, 'migrated_twice'), home, passwords: { ...passwords, volume: 'another-password-entirely' } }
    const all = await Promise.all([migrate(options), migrate(options), migrate(options)])
    expect(all.filter(({ applied }) => applied.length > 0)).toHaveLength(1)
    expect(all.flatMap(({ rolesMade }) => rolesMade)).toEqual([])
    expect(new Set(all.map(({ clusterId }) => clusterId)).size).toBe(1)
  } finally {
    await admin.unsafe('drop database migrated_twice with (force)')
    await admin.end()
  }
})

it('says that the database is away, and comes back by itself', async () => {
  await using away = openDatabase({ url: 'postgres://x:y@127.0.0.1:1/none', schema: 'volume' })
  await expect(away.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE' })
  await expect(away.transaction('x', async (tx) => tx.execute(sql`select 1`))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await using database = await testDatabase()
  const db = database.open('volume')
  await db.ping()
  await database.sql(
    `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'berth_volume' and datname = current_database()`,
  )
  await db.ping().catch(() => {})
  await db.ping()
})

it('makes the passwords once, for its owner alone', async () => {
  const folder = makeTempDir('roles')
  const file = path.join(folder, 'a/roles.json')
  const made = await Promise.all([rolePasswords(file), rolePasswords(file), rolePasswords(file)])
  expect(new Set(made.map((passwords) => JSON.stringify(passwords))).size).toBe(1)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  rmSync(folder, { recursive: true })
})

it('prepares no statement by name behind a pooler that knows none', async () => {
  await using database = await testDatabase()
  for (const prepare of [true, false]) {
    await using db = openDatabase({ url: database.urlFor('volume'), schema: 'volume', pool: 1, prepare })
    await db.read((queries) => queries.select().from(db.tables.leases).where(eq(db.tables.leases.hostId, 'x')))
    const kept = await db.queries.execute(sql`select name from pg_prepared_statements where statement like '%host_id%'`)
    expect(kept).toHaveLength(prepare ? 1 : 0)
  }
})

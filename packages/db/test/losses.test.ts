import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { openDatabase } from '@berth/db'
import { testDatabase, until } from '@berth/testing'
import { slowPostgres } from '@berth/testing/servers'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'

it.each([true, false])('outlives connections that are closed at any moment of a transaction (prepared: %s)', async (prepare) => {
  await using own = await testDatabase()
  await own.sql('create table volume.kept (id text primary key); grant all on volume.kept to berth_volume')
  await using door = await slowPostgres(own.urlFor('volume'))
  await using db = openDatabase({ url: door.url, schema: 'volume', prepare })
  const acknowledged: string[] = []
  const write = (id: string) =>
    db.transaction('test', async (tx) => {
      await tx.execute(sql`insert into volume.kept (id) values (${id})`)
      await delay(id.length % 7)
      await tx.execute(sql`select 1`).catch(() => undefined)
      await tx.execute(sql`select 2`)
    })
  const outcomes: string[] = []
  let going = true
  const writers = Array.from({ length: 6 }, async (_, writer) => {
    for (let n = 0; going; n += 1) {
      const id = `${writer}${'x'.repeat(n % 9)}-${n}`
      await write(id).then(
        () => acknowledged.push(id),
        (error: { reason?: string }) => outcomes.push(String(error.reason)),
      )
    }
  })
  for (let cut = 0; cut < 20; cut += 1) {
    const before = acknowledged.length
    await until('writes are acknowledged again', () => acknowledged.length >= before + 3)
    await delay(cut % 5)
    door.closeAll()
  }
  going = false
  await Promise.all(writers)
  expect(new Set(outcomes)).toEqual(new Set(['DATABASE_UNAVAILABLE']))
  const kept = new Set((await own.sql('select id from volume.kept')).map(({ id }) => id))
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
  expect(await db.read((queries) => queries.execute(sql`select count(*)::int as n from volume.kept`))).toHaveLength(1)
})

it('lets a transaction whose connection is lost write nothing more, wherever it is', async () => {
  await using own = await testDatabase()
  await own.sql('create table volume.kept (id text primary key); grant all on volume.kept to berth_volume')
  await using door = await slowPostgres(own.urlFor('volume'))
  await using db = openDatabase({ url: door.url, schema: 'volume' })
  const late = Promise.withResolvers<unknown>()
  const cut = Promise.withResolvers<void>()
  const lost = db.transaction('test', async (tx) => {
    await tx.execute(sql`insert into volume.kept (id) values ('before')`)
    door.closeAll()
    await cut.promise
    await tx.execute(sql`insert into volume.kept (id) values ('after')`).then(late.resolve, late.reject)
  })
  await expect(lost).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE' })
  await until('another statement is answered', () =>
    db.ping().then(
      () => true,
      () => false,
    ),
  )
  cut.resolve()
  await expect(late.promise).rejects.toThrow()
  expect(await own.sql('select id from volume.kept')).toEqual([])
})

it('keeps what runs by itself out of a transaction that begins among it, however much is under way', async () => {
  await using own = await testDatabase()
  await own.sql('create table volume.kept (id text primary key); grant all on volume.kept to berth_volume')
  await using db = openDatabase({ url: own.urlFor('volume'), schema: 'volume' })
  const inside: string[] = []
  const outside = new Set<string>()
  const write = (id: string) =>
    db.transaction('test', async (tx) => {
      const xid = sql`pg_current_xact_id()::text as xid`
      const [row] = await tx.execute<{ xid: string }>(sql`insert into volume.kept (id) values (${id}) returning ${xid}`)
      inside.push(row?.xid ?? '')
    })
  const single = async () => {
    const [row] = await db.read((queries) => queries.execute<{ xid: string }>(sql`select pg_current_xact_id()::text as xid, ${1}::int`))
    outside.add(row?.xid ?? '')
  }
  const many = (count: number) => Array.from({ length: count }, single)
  await Promise.all(many(20))
  // The driver puts a hundred statements on each of its connections.
  const rounds = Array.from({ length: 24 }, (_, n) => 385 + n)
  for (const n of rounds) {
    const reads = Promise.all(many(n))
    await setImmediate()
    await Promise.all([reads, write(`${n}`), single()])
  }
  expect(new Set(inside).size).toBe(rounds.length)
  expect(outside.size).toBe(20 + rounds.reduce((sum, n) => sum + n + 1, 0))
  expect(inside.filter((id) => outside.has(id))).toEqual([])
  expect(await own.sql('select id from volume.kept')).toHaveLength(rounds.length)
})

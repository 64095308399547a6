import { setTimeout as delay } from 'node:timers/promises'
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

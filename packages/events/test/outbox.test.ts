import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { appendOutbox, createClient, type Database, openDatabase } from '@berth/db'
import { createLogger } from '@berth/telemetry'
import { testDatabase, testNats, until } from '@berth/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { type Events, follow, openEvents } from '../src/index.ts'
import type { Sequenced } from '../src/envelope.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const WRITERS = 1_000
const CONNECTIONS = 50
const OBJECTS = 100

function change(db: Database, object: string, holdMs: number): Promise<void> {
  return db.transaction('test', async (tx) => {
    // Whoever changes an object has its row locked, as in every service.
    const [row] = await tx.execute<{ n: string }>(sql`update public.objects set n = n + 1 where id = ${object} returning n`)
    const entry = { project: 'default', kind: 'volume', resourceId: object, verb: 'updated', actor: 'a', resource: { id: object } }
    appendOutbox(tx, [{ ...entry, generation: Number(row?.n) }])
    await tx.execute(sql`select pg_sleep(${holdMs / 1000})`)
  })
}

async function watch({ db, wakes }: Events, wanted: number): Promise<Sequenced[]> {
  const rows: Sequenced[] = []
  const selection = { project: 'default' }
  const signal = AbortSignal.timeout(50_000)
  for await (const { row } of follow({ db, wakes, selection, from: { seq: 0, reflected: [] }, follow: true, signal })) {
    if (row) rows.push(row)
    if (rows.length >= wanted) return rows
  }
  return rows
}

it('shows 1,000 writers over 50 connections and two relays to every watcher once and in order per object, past an old open transaction', async () => {
  await using own = await testDatabase()
  await using nats = await testNats()
  await own.sql(`create table public.objects (id text primary key, n bigint not null default 0);
    insert into public.objects select 'vol_' || i from generate_series(0, ${OBJECTS - 1}) i;
    grant usage on schema public to berth_volume; grant select, update on public.objects to berth_volume`)
  await using writing = openDatabase({ url: own.urlFor('volume'), schema: 'volume', pool: CONNECTIONS })
  await using one = openEvents({ db: own.open('volume'), natsUrl: nats.url, logger })
  await using two = openEvents({ db: own.open('volume'), natsUrl: nats.url, logger })
  const old = createClient({ url: own.adminUrl, pool: 1 })
  const watches = [watch(one, WRITERS + 1), watch(two, WRITERS + 1), watch(one, WRITERS + 1)]
  const told: number[] = []
  const ends = watches.map((watching, index) => watching.then(({ length }) => (told[index] = length)))

  await old.begin(async (tx) => {
    await tx`insert into volume.outbox (id, project, kind, resource_id, verb, generation, actor, resource)
      values ('evt_old', 'default', 'volume', 'vol_old', 'updated', 1, 'a', '{}')`
    const hold = (writer: number) => (writer * 7919) % 20
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => change(writing, `vol_${writer % OBJECTS}`, hold(writer))))
    const placed = async () => Number((await own.sql('select last_seq from volume.relay'))[0]?.['last_seq'])
    await until('all others have their place while it is open', async () => (await placed()) === WRITERS, 20_000)
    expect(told).toEqual([])
  })
  await Promise.all(ends)
  await old.end()

  const commits = await own.sql('select id, seq from volume.outbox order by ord')
  expect(commits.map(({ seq }) => Number(seq))).not.toEqual(commits.map((_, index) => index + 1))
  for (const rows of await Promise.all(watches)) {
    expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: WRITERS + 1 }, (_, index) => index + 1))
    expect(new Set(rows.map(({ id }) => id)).size).toBe(WRITERS + 1)
    expect(rows.at(-1)?.id).toBe('evt_old')
    for (let object = 0; object < OBJECTS; object += 1) {
      const generations = rows.filter(({ resourceId }) => resourceId === `vol_${object}`).map(({ generation }) => generation)
      expect(generations).toEqual(Array.from({ length: WRITERS / OBJECTS }, (_, index) => index + 1))
    }
  }
  await until(
    'all is published',
    async () => (await own.sql('select 1 from volume.outbox where publish_time is null')).length === 0,
    20_000,
  )
  expect(await streamed(nats.url)).toBe(WRITERS + 1)
})

it('tells an event once though its relay is killed between publishing and marking', async () => {
  await using own = await testDatabase()
  await using nats = await testNats()
  const db = own.open('volume')
  for (let n = 0; n < 20; n += 1)
    await db.transaction('test', async (tx) =>
      appendOutbox(tx, [
        { project: 'default', kind: 'volume', resourceId: 'vol_x', verb: 'updated', generation: n, actor: 'a', resource: { id: 'vol_x' } },
      ]),
    )
  const program = fileURLToPath(new URL('relay-process.ts', import.meta.url))
  const child = spawn(process.execPath, [program, own.urlFor('volume'), nats.url], { stdio: 'inherit' })
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
  const unmarked = () => own.sql('select 1 from volume.outbox where publish_time is null')
  expect(await unmarked()).toHaveLength(20)
  expect(await streamed(nats.url)).toBeGreaterThan(0)

  await using events = openEvents({ db, natsUrl: nats.url, logger })
  const rows = await watch(events, 20)
  expect(rows.map(({ generation }) => generation)).toEqual(Array.from({ length: 20 }, (_, n) => n))
  await until('the successor has marked them', async () => (await unmarked()).length === 0, 20_000)
  expect(await streamed(nats.url)).toBe(20)
})

async function streamed(natsUrl: string): Promise<number> {
  const url = new URL(natsUrl)
  const client = await connect({ servers: url.host, user: url.username, pass: url.password })
  try {
    return (await (await jetstreamManager(client)).streams.info('BERTH')).state.messages
  } finally {
    await client.close()
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { appendOutbox, createClient, type Database, newId, openDatabase } from '@berth/db'
import { type TestDatabase, testDatabase, testNats, until } from '@berth/testing'
import { createLogger } from '@berth/telemetry'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { follow, type Followed, openEvents, readResumeToken, resumeToken } from '../src/index.ts'
import { sequence } from '../src/relay.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const entry = (resourceId: string, project = 'default') => ({
  project,
  kind: 'volume',
  resourceId,
  verb: 'updated',
  generation: 1,
  actor: 'a',
  resource: { id: resourceId },
})

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

async function lastSeq(): Promise<number> {
  const [row] = await database.sql('select last_seq from volume.relay')
  return Number(row?.['last_seq'])
}

/** A notice as a transaction that stays open for a while would write it. */
function insertSql(id: string): string {
  return `insert into volume.outbox (id, project, kind, resource_id, verb, generation, actor, resource)
    values ('evt_${id}', 'default', 'volume', '${id}', 'updated', 1, 'a', '{}')`
}

function append(db: Database, id: string, project?: string) {
  return db.transaction('test', async (tx) => appendOutbox(tx, [entry(id, project)]))
}

async function take(source: AsyncGenerator<Followed>, wanted: number): Promise<Followed[]> {
  const taken: Followed[] = []
  for await (const item of source) {
    if (item.row) taken.push(item)
    if (taken.length === wanted) break
  }
  return taken
}

it('loses no row when transactions commit in the reverse order of their writes', async () => {
  const db = database.open('volume')
  await using events = openEvents({ db, natsUrl: undefined, logger })
  const from = await lastSeq()
  const admin = createClient({ url: database.adminUrl, pool: 3 })
  const opened: (() => void)[] = []
  const committed: Promise<void>[] = []
  for (let n = 0; n < 3; n += 1) {
    const gate = Promise.withResolvers<void>()
    const wrote = Promise.withResolvers<void>()
    opened.push(gate.resolve)
    const writing = admin.begin(async (tx) => {
      await tx.unsafe(insertSql(`vol_reverse${n}`))
      wrote.resolve()
      await gate.promise
    })
    committed.push(writing)
    await wrote.promise
  }
  for (const [n, open] of [...opened.entries()].toReversed()) {
    open()
    await committed[n]
    await sequence(db)
    expect(await lastSeq()).toBe(from + 3 - n)
  }
  const options = { db, wakes: events.wakes, selection: { project: 'default' }, from: { seq: from, reflected: [] }, follow: false }
  const seen = await take(follow({ ...options, signal: AbortSignal.timeout(5_000) }), 99)
  expect(seen.map(({ row }) => row?.resourceId)).toEqual(['vol_reverse2', 'vol_reverse1', 'vol_reverse0'])
  expect(seen.map(({ row }) => row?.seq)).toEqual([from + 1, from + 2, from + 3])
  await admin.end()
})

it('shows every event once and in order while 20 writers write through two processes', async () => {
  const [one, two] = [database.open('volume'), database.open('volume')]
  await using first = openEvents({ db: one, natsUrl: undefined, logger })
  await using second = openEvents({ db: two, natsUrl: undefined, logger })
  const from = await lastSeq()
  const wanted = 20 * 25
  const options = {
    selection: { project: 'default' },
    from: { seq: from, reflected: [] },
    follow: true,
    signal: AbortSignal.timeout(30_000),
  }
  const watches = [
    take(follow({ db: one, wakes: first.wakes, ...options }), wanted),
    take(follow({ db: two, wakes: second.wakes, ...options }), wanted),
  ]
  await Promise.all(
    Array.from({ length: 20 }, async (_, writer) => {
      for (let n = 0; n < 25; n += 1) await append(writer % 2 === 0 ? one : two, `vol_w${writer}`)
    }),
  )
  for (const seen of await Promise.all(watches)) {
    expect(seen.map(({ row }) => row?.seq)).toEqual(Array.from({ length: wanted }, (_, n) => from + 1 + n))
    expect(new Set(seen.map(({ row }) => row?.id)).size).toBe(wanted)
  }
})

it('goes on from a token anywhere, and refuses one that is too old, from the future or no token', async () => {
  const db = database.open('volume')
  await using events = openEvents({ db, natsUrl: undefined, logger })
  for (let n = 0; n < 5; n += 1) await append(db, `vol_t${n}`)
  await until('all have their place', async () => (await database.sql('select 1 from volume.outbox where seq is null')).length === 0)
  const at = await lastSeq()
  const watch = (seq: number) =>
    take(
      follow({
        db,
        wakes: events.wakes,
        selection: { project: 'default' },
        from: { seq, reflected: [] },
        follow: false,
        signal: AbortSignal.timeout(5_000),
      }),
      99,
    )
  expect((await watch(at - 2)).map(({ row }) => row?.resourceId)).toEqual(['vol_t3', 'vol_t4'])
  await expect(watch(at + 1)).rejects.toMatchObject({ code: 'OUT_OF_RANGE', reason: 'TOKEN_EXPIRED' })
  await database.sql(`update volume.relay set floor_seq = ${at - 3}`)
  await expect(watch(at - 4)).rejects.toMatchObject({ code: 'OUT_OF_RANGE', reason: 'TOKEN_EXPIRED' })
  expect(await watch(at - 3)).toHaveLength(3)
  await database.sql('update volume.relay set floor_seq = 0')
  expect(readResumeToken('volume', resumeToken('volume', { seq: 7, reflected: ['evt_x'] }))).toEqual({ seq: 7, reflected: ['evt_x'] })
  for (const bad of ['nonsense', resumeToken('image', { seq: 1, reflected: [] })])
    expect(() => readResumeToken('volume', bad)).toThrow(/resume_token/)
})

it('shows a project nothing of another', async () => {
  const db = database.open('volume')
  await using events = openEvents({ db, natsUrl: undefined, logger })
  const from = await lastSeq()
  await append(db, 'vol_theirs', 'other')
  await append(db, 'vol_ours')
  await until('both have their place', async () => (await lastSeq()) === from + 2)
  const options = { db, wakes: events.wakes, selection: { project: 'default' }, from: { seq: from, reflected: [] }, follow: false }
  expect((await take(follow({ ...options, signal: AbortSignal.timeout(5_000) }), 9)).map(({ row }) => row?.resourceId)).toEqual([
    'vol_ours',
  ])
})

it('publishes everything in the end: through a broker that is late, killed, or has lost its stream', async () => {
  await using own = await testDatabase()
  await using nats = await testNats()
  const db = own.open('volume')
  await append(db, 'vol_before')
  await using events = openEvents({ db, natsUrl: nats.url, logger })
  await until('the first is published', async () => (await own.sql('select 1 from volume.outbox where publish_time is null')).length === 0)
  expect(events.brokerState()).toBe('connected')
  await nats.kill()
  await until('the loss is seen', () => events.brokerState() === 'disconnected')
  await append(db, 'vol_during')
  await until(
    'it has its place without the broker',
    async () => (await own.sql('select 1 from volume.outbox where seq is null')).length === 0,
  )
  const unpublished = () => own.sql('select resource_id from volume.outbox where publish_time is null')
  // Longer than a relay waits before it marks what the broker has stored.
  await delay(500)
  expect(await unpublished()).toEqual([{ resource_id: 'vol_during' }])
  await nats.restart()
  await until('what came meanwhile is published', async () => (await unpublished()).length === 0, 20_000)
  const url = new URL(nats.url)
  const client = await connect({ servers: url.host, user: url.username, pass: url.password })
  const manager = await jetstreamManager(client)
  expect((await manager.streams.info('BERTH')).state.messages).toBe(2)
  await manager.streams.delete('BERTH')
  await append(db, 'vol_after')
  await until('the stream is made again', async () => (await unpublished()).length === 0, 20_000)
  const message = await manager.streams.getMessage('BERTH', { last_by_subj: 'berth.default.volume.vol_after.updated' })
  expect(message?.json<{ resourceId: string; service: string }>()).toMatchObject({ resourceId: 'vol_after', service: 'volume' })
  expect(message?.header.get('Nats-Msg-Id')).toMatch(/^evt_/)
  expect(message?.header.get('ce-type')).toBe('dev.berth.volume.updated')
  await client.close()
})

it('wakes another process through NATS, without any poll, and its own at once', async () => {
  vi.stubEnv('BERTH_TEST_NO_POLL', '1')
  await using own = await testDatabase()
  await using nats = await testNats()
  const [one, two] = [own.open('volume'), own.open('volume')]
  await using first = openEvents({ db: one, natsUrl: nats.url, logger })
  await using second = openEvents({ db: two, natsUrl: nats.url, logger })
  vi.unstubAllEnvs()
  await until('both are connected', () => first.brokerState() === 'connected' && second.brokerState() === 'connected')
  const id = newId('vol')
  const heard: string[] = []
  first.wakes.on((change) => heard.push(change.id))
  const other = second.wakes.next(id, { signal: AbortSignal.timeout(10_000), timeoutMs: 20_000 })
  const follower = take(
    follow({
      db: two,
      wakes: second.wakes,
      selection: { project: 'default' },
      from: { seq: 0, reflected: [] },
      follow: true,
      signal: AbortSignal.timeout(10_000),
    }),
    1,
  )
  await append(one, id)
  expect(heard).toEqual([id])
  await other
  expect((await follower)[0]?.row?.resourceId).toBe(id)
})

it('hears of what others have committed when it gives that its place itself, and of its own once', async () => {
  await using own = await testDatabase()
  const [mine, silent] = [own.open('volume'), own.open('volume')]
  await using events = openEvents({ db: mine, natsUrl: undefined, logger })
  const heard: string[] = []
  events.wakes.on(({ id }) => heard.push(id))
  await append(silent, 'vol_theirs')
  await append(mine, 'vol_mine')
  await until('the other is heard of', () => heard.includes('vol_theirs'))
  expect(heard.toSorted()).toEqual(['vol_mine', 'vol_theirs'])
})

it('starts without a database and works when it comes', async () => {
  await using db = openDatabase({ url: 'postgres://x:y@127.0.0.1:1/none', schema: 'volume' })
  await using events = openEvents({ db, natsUrl: 'nats://127.0.0.1:1', logger })
  await delay(50)
  expect(events.brokerState()).toBe('connecting')
})

it('keeps giving places while a transaction with rows stays open', async () => {
  const db = database.open('volume')
  await using events = openEvents({ db, natsUrl: undefined, logger })
  const admin = createClient({ url: database.adminUrl, pool: 1 })
  const from = await lastSeq()
  await admin.begin(async (tx) => {
    await tx.unsafe(insertSql('vol_open'))
    await append(db, 'vol_free')
    await until('the other row has its place', async () => (await lastSeq()) === from + 1)
  })
  await db.read((queries) => queries.execute(sql`select 1`))
  await until('and then the first', async () => (await lastSeq()) === from + 2)
  await admin.end()
  expect(events.wakes).toBeDefined()
})

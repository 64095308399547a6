import { appendOutbox, type Database } from '@berth/db'
import type { WatchEventsResponse } from '@berth/proto/berth/event/v1/event_pb.ts'
import { createLogger } from '@berth/telemetry'
import { type TestDatabase, testDatabase, until } from '@berth/testing'
import type { HandlerContext } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Events, eventService, openEvents } from '../src/index.ts'

let database: TestDatabase
let db: Database
let events: Events
beforeAll(async () => {
  database = await testDatabase()
  db = database.open('volume')
  events = openEvents({ db, natsUrl: undefined, logger: createLogger({ name: 'test', level: 'silent' }) })
  for (const kind of ['volume', 'operation', 'volume']) await write(kind, 'vol_1')
  await write('volume', 'vol_2')
  await until('all have their place', async () => (await database.sql('select 1 from volume.outbox where seq is null')).length === 0)
})
afterAll(async () => {
  await events[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function write(kind: string, resourceId: string) {
  const entry = { project: 'default', kind, resourceId, verb: 'updated', generation: 2, actor: 'key_a', resource: { id: resourceId } }
  return db.transaction('test', async (tx) => appendOutbox(tx, [entry]))
}

const blank = { resumeToken: '', fromStart: false, kinds: [], resourceId: '', noFollow: true }

async function collect(request: object, { project = 'default', most = 99 } = {}): Promise<WatchEventsResponse[]> {
  const service = eventService({ events, callerOf: () => ({ project }) })
  const end = new AbortController()
  const answers: WatchEventsResponse[] = []
  const context = { signal: AbortSignal.any([end.signal, AbortSignal.timeout(10_000)]) } as HandlerContext
  for await (const answer of service.watchEvents({ ...blank, ...request } as never, context)) {
    answers.push(answer as WatchEventsResponse)
    if (answers.length === most) break
  }
  end.abort()
  return answers
}

const idsOf = (answers: WatchEventsResponse[]) => answers.flatMap(({ event }) => (event ? [`${event.kind} ${event.resourceId}`] : []))

it('tells what is kept from its start, by kind and by resource, and ends with a bookmark when it shall not follow', async () => {
  const all = await collect({ fromStart: true })
  expect(idsOf(all)).toEqual(['volume vol_1', 'operation vol_1', 'volume vol_1', 'volume vol_2'])
  expect(all.at(-1)?.event).toBeUndefined()
  expect(all[0]?.event).toMatchObject({
    seq: 1n,
    service: 'volume',
    verb: 'updated',
    generation: 2n,
    actor: 'key_a',
    resource: { id: 'vol_1' },
  })
  expect(idsOf(await collect({ fromStart: true, kinds: ['operation'] }))).toEqual(['operation vol_1'])
  expect(idsOf(await collect({ fromStart: true, resourceId: 'vol_2' }))).toEqual(['volume vol_2'])
  expect(idsOf(await collect({ fromStart: true }, { project: 'other' }))).toEqual([])
})

it('goes on after a token, a bookmark among them', async () => {
  const [first] = await collect({ fromStart: true }, { most: 1 })
  expect(idsOf(await collect({ resumeToken: first?.resumeToken }))).toEqual(['operation vol_1', 'volume vol_1', 'volume vol_2'])
  const bookmark = (await collect({})).at(-1)
  const following = collect({ resumeToken: bookmark?.resumeToken, noFollow: false }, { most: 2 })
  await write('volume', 'vol_3')
  expect(idsOf(await following)).toEqual(['volume vol_3'])
})

import { VolumeSchema, VolumeState, VolumeStatusSchema } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import {
  sampleCaller as caller,
  createRequest,
  createVolume,
  type TestDatabase,
  testDatabase,
  volumeStore,
  volumesSql,
} from '@berth/testing'
import { create, toJson } from '@bufbuild/protobuf'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Change, Database } from '../src/index.ts'
import { resourceVerbs } from '../src/index.ts'

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  await database.sql(volumesSql)
  await database.sql(`insert into volume.leases (service, host_id, boot_id, epoch, address) values ('volume', 'hst_a', 'b', 3, '')`)
  db = database.open('volume')
})
afterAll(() => database[Symbol.asyncDispose]())

const lease = (epoch: number) => ({ service: 'volume', hostId: 'hst_a', epoch, lose: () => undefined })
const ready = create(VolumeStatusSchema, { observedGeneration: 1n, state: VolumeState.READY })

async function made(name: string) {
  const store = volumeStore(db)
  await createVolume(db, name)
  return { store, row: await store.get(caller.project, name) }
}

const notices = (id: string) =>
  database.sql(`select id, verb, generation, actor, resource from volume.outbox where resource_id = '${id}' order by ord`)

it('writes status, columns and a notice like any other, counts it and tells of it', async () => {
  const { store, row: bare } = await made('one')
  const labels = { 'app/x': 'a "b"' }
  await db.transaction('volume.change', async (tx) =>
    store.updateSpec(tx, await store.lock(tx, caller.project, 'one'), { actor: 'a', labels }),
  )
  const told: Change[] = []
  const end = db.onCommit((changes) => told.push(...changes))
  const row = await store.get(caller.project, 'one')
  const written = await store.writeStatus('volume.one', lease(3), row, ready, { path: '/x' })
  end()
  expect(written).toMatchObject({ observedGeneration: 1, labels, extra: { path: '/x' }, status: { state: VolumeState.READY } })
  expect(await store.byId(bare.id)).toEqual(written)
  const notice = (await notices(bare.id)).at(-1)
  expect(notice).toMatchObject({ verb: 'status', actor: 'berth-volume' })
  expect(notice?.['resource']).toEqual(written && toJson(VolumeSchema, store.toMessage(written)))
  expect(told).toEqual([{ kind: 'volume', id: bare.id, project: caller.project, verb: 'status', event: notice?.['id'] }])
  expect(db.metrics()['volume.one']).toEqual({ committed: 1, rolledBack: 0, retried: 0 })
})

it('writes nothing over a row that is not as it was read', async () => {
  const { store, row } = await made('two')
  const change = (spec: typeof row.spec) =>
    resourceVerbs(store).change(createRequest('two'), { reference: 'two' }, () => ({ change: { spec }, operation: 'volume.resize' }))
  expect(await store.writeStatus('volume.two', lease(3), row, row.status)).toBeUndefined()
  expect(await store.writeStatus('volume.two', lease(3), row, ready)).toBeDefined()
  const other = create(VolumeStatusSchema, { observedGeneration: 1n, state: VolumeState.FAILED })
  expect(await store.writeStatus('volume.two', lease(3), row, other)).toBeUndefined()
  const before = await store.get(caller.project, 'two')
  await change({ ...row.spec, sizeBytes: 2n << 20n })
  expect(await store.writeStatus('volume.two', lease(3), before, other)).toBeUndefined()
  expect((await store.get(caller.project, 'two')).status.state).toBe(VolumeState.READY)
  expect(db.metrics()['volume.two']?.committed).toBe(3)
})

it('writes nothing under an epoch that is over, also when that comes to be so while it waits', async () => {
  const { store, row } = await made('three')
  expect(await store.writeStatus('volume.three', lease(2), row, ready)).toBeUndefined()
  const taken = Promise.withResolvers<void>()
  const write = Promise.withResolvers<unknown>()
  await db.transaction('successor', async (tx) => {
    await tx.execute(sql`select from volume.leases for update`)
    write.resolve(store.writeStatus('volume.three', lease(3), row, ready).finally(() => taken.resolve()))
    // It waits for the lock: only what is seen of that in the server says so.
    for (let waiting = 0; waiting === 0; ) {
      const [seen] = await database.sql(
        `select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock' and query like '%held%'`,
      )
      waiting = Number(seen?.['waiting'])
    }
    await tx.execute(sql`update volume.leases set epoch = 4`)
  })
  await taken.promise
  expect(await write.promise).toBeUndefined()
  expect(await store.byId(row.id)).toEqual(row)
  expect((await notices(row.id)).map(({ verb }) => verb)).toEqual(['created'])
  await database.sql('update volume.leases set epoch = 3')
})

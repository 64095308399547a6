import { VolumeState, VolumeStatusSchema } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { testDatabase, type TestDatabase } from '@berth/testing'
import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Database } from '../src/index.ts'
import { resourceVerbs } from '../src/index.ts'
import { sampleCaller as caller, createRequest, createVolume, volumeStore, volumesSql } from '@berth/testing'

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  await database.sql(volumesSql)
  await database.sql(`insert into volume.leases (service, host_id, boot_id, epoch, address) values ('volume', 'hst_a', 'b', 3, '')`)
  db = database.open('volume')
})
afterAll(() => database[Symbol.asyncDispose]())

const lease = (epoch: number) => ({
  service: 'volume',
  hostId: 'hst_a',
  epoch,
  lost: 0,
  lose() {
    this.lost += 1
  },
})

it('makes one resource of 50 equal requests at once, and gives all the same answer', async () => {
  const before = db.metrics()['volume.create']?.committed ?? 0
  const answers = await Promise.all(Array.from({ length: 50 }, () => createVolume(db, 'same', 'request-1')))
  expect(new Set(answers.map(({ resource }) => resource?.id)).size).toBe(1)
  expect(new Set(answers.map(({ operation }) => operation?.id)).size).toBe(1)
  expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1)
  expect(answers[0]?.resource).toMatchObject({ name: 'same', creator: 'key_test', etag: '1', generation: 1n })
  expect(await database.sql(`select 1 from volume.test_volumes where name = 'same'`)).toHaveLength(1)
  expect((db.metrics()['volume.create']?.committed ?? 0) - before).toBe(50)
})

it('refuses a request id that comes again with another body', async () => {
  await createVolume(db, 'first-body', 'request-2')
  await expect(createVolume(db, 'other-body', 'request-2')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'REQUEST_ID_REUSED' })
})

it('gives a name to one of 200 creates at once', async () => {
  const answers = await Promise.allSettled(Array.from({ length: 200 }, (_, n) => createVolume(db, 'wanted', `name-${n}`)))
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  const refused = answers.filter((answer) => answer.status === 'rejected')
  expect(new Set(refused.map(({ reason }) => `${reason.code} ${reason.reason}`))).toEqual(new Set(['ALREADY_EXISTS NAME_TAKEN']))
})

it('refuses a stale etag and raises the generation only for a spec', async () => {
  const store = volumeStore(db)
  const { resource } = await createVolume(db, 'etagged')
  const change = (etag: string, sizeBytes: bigint) =>
    resourceVerbs(store).change(createRequest('etagged'), { reference: 'etagged', etag }, (row) => ({
      change: { spec: { ...row.spec, sizeBytes } },
      operation: 'volume.resize',
    }))
  const { resource: changed, operation } = await change('1', 2n << 20n)
  expect(changed).toMatchObject({ id: resource?.id, etag: '2', spec: { sizeBytes: 2n << 20n } })
  expect(operation).toMatchObject({ kind: 'volume.resize', resourceName: 'etagged' })
  await expect(change('1', 3n << 20n)).rejects.toMatchObject({ code: 'ABORTED', reason: 'STALE_ETAG' })
  const labelled = await resourceVerbs(store).change(createRequest('etagged'), { reference: 'etagged', etag: '2' }, () => ({
    change: { labels: { a: 'b' } },
  }))
  expect(labelled).toMatchObject({ resource: { etag: '2', labels: { a: 'b' } }, operation: undefined })
})

it('writes status under the epoch and leaves the etag alone', async () => {
  const store = volumeStore(db)
  await createVolume(db, 'ready')
  const row = await store.get(caller.project, 'ready')
  const status = create(VolumeStatusSchema, { observedGeneration: 1n, state: VolumeState.READY })
  const next = await db.transaction('volume.status', (tx) => store.updateStatus(tx, lease(3), row, status, { path: '/x' }))
  expect(next).toMatchObject({ observedGeneration: 1, generation: 1, extra: { path: '/x' }, status: { state: VolumeState.READY } })
  expect(await store.list(caller.project, { pageSize: 0, pageToken: '', filter: 'state=READY and name=ready' })).toMatchObject({
    rows: [{ name: 'ready' }],
  })
})

it('changes nothing under an old epoch and tells the service', async () => {
  const store = volumeStore(db)
  await createVolume(db, 'fenced')
  const row = await store.get(caller.project, 'fenced')
  const old = lease(2)
  const status = create(VolumeStatusSchema, { state: VolumeState.READY })
  const write = db.transaction('volume.status', (tx) => store.updateStatus(tx, old, row, status))
  await expect(write).rejects.toMatchObject({ code: 'ABORTED', reason: 'LEASE_LOST' })
  await expect(db.transaction('volume.remove', (tx) => store.remove(tx, old, row))).rejects.toMatchObject({ reason: 'LEASE_LOST' })
  expect(old.lost).toBe(2)
  expect(await store.get(caller.project, 'fenced')).toEqual(row)
})

it('keeps a name until the row of a deleted resource is removed', async () => {
  const store = volumeStore(db)
  await createVolume(db, 'going')
  const deletion = () =>
    resourceVerbs(store).change(createRequest('going'), { reference: 'going' }, () => ({ delete: true, operation: 'volume.delete' }))
  const { resource } = await deletion()
  expect(resource?.deleteTime).toBeDefined()
  await expect(createVolume(db, 'going')).rejects.toMatchObject({ reason: 'NAME_TAKEN' })
  expect(await store.unsettled('hst_a')).toContain(resource?.id)
  const row = await store.get(caller.project, 'going')
  await db.transaction('volume.remove', (tx) => store.remove(tx, lease(3), row))
  await createVolume(db, 'going')
  const verbs = await database.sql(`select verb from volume.outbox where resource_id = '${row.id}' order by ord`)
  expect(verbs.map(({ verb }) => verb)).toEqual(['created', 'deleting', 'deleted'])
})

it('answers for another project as for what does not exist', async () => {
  const store = volumeStore(db)
  const { resource } = await createVolume(db, 'mine')
  for (const reference of [resource?.id ?? '', 'mine', 'vol_nothing'])
    await expect(store.get('other', reference)).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'VOLUME_NOT_FOUND' })
})

it('pages through a list once, and refuses a token of another filter', async () => {
  const store = volumeStore(db)
  for (const name of ['p1', 'p2', 'p3']) await createVolume(db, name)
  const seen: string[] = []
  let pageToken = ''
  do {
    const page = await store.list(caller.project, { pageSize: 2, pageToken, filter: '' })
    seen.push(...page.rows.map(({ id }) => id))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  expect(seen).toEqual(seen.toSorted())
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toHaveLength((await database.sql(`select 1 from volume.test_volumes`)).length)
  const { nextPageToken } = await store.list(caller.project, { pageSize: 1, pageToken: '', filter: '' })
  const other = store.list(caller.project, { pageSize: 1, pageToken: nextPageToken, filter: 'host=hst_a' })
  await expect(other).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_PAGE_TOKEN' })
})

import { type Database, resourceVerbs } from '@berth/db'
import type { Volume } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { createLogger } from '@berth/telemetry'
import { createRequest, createVolume, type TestDatabase, testDatabase, volumeStore, volumesSql } from '@berth/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Events, openEvents, type Watched } from '../src/index.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
let database: TestDatabase
let db: Database
let events: Events
beforeAll(async () => {
  database = await testDatabase()
  await database.sql(volumesSql)
  await database.sql(`insert into volume.leases (service, host_id, boot_id, epoch, address) values ('volume', 'hst_a', 'b', 1, '')`)
  db = database.open('volume')
  events = openEvents({ db, natsUrl: undefined, logger })
})
afterAll(async () => {
  await events[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

type Seen = Watched<Volume>
type Options = { filter?: string; resumeToken?: string; project?: string }

/** Watches until `enough`, then ends the watch as a client would. */
async function watch(
  enough: (seen: Seen[]) => boolean,
  { filter = '', resumeToken = '', project = 'default' }: Options = {},
): Promise<Seen[]> {
  const end = new AbortController()
  const seen: Seen[] = []
  for await (const item of events.watchResources(volumeStore(db), {
    project,
    filter,
    resumeToken,
    signal: AbortSignal.any([end.signal, AbortSignal.timeout(20_000)]),
  })) {
    seen.push(item)
    if (enough(seen)) break
  }
  end.abort()
  return seen
}

const label = (name: string, value: string) =>
  resourceVerbs(volumeStore(db)).change(createRequest(name), { reference: name }, () => ({ change: { labels: { n: value } } }))
const lease = { service: 'volume', hostId: 'hst_a', epoch: 1, lose: () => {} }
const caughtUp = (seen: Seen[]) => seen.some(({ type }) => type === 4)

/** A watch that is known to have begun: what comes after this is a change to it. */
async function begin(enough: (seen: Seen[]) => boolean, options?: Options): Promise<{ ended: Promise<Seen[]> }> {
  const begun = Promise.withResolvers<void>()
  const ended = watch((seen) => {
    if (caughtUp(seen)) begun.resolve()
    return enough(seen)
  }, options)
  await Promise.race([begun.promise, ended])
  return { ended }
}

it('begins with the state, says that it is complete, then tells what changes', async () => {
  await createVolume(db, 'first')
  const { ended } = await begin((seen) => seen.at(-1)?.type === 3)
  await label('first', 'x')
  const store = volumeStore(db)
  const row = await store.get('default', 'first')
  await db.transaction('volume.remove', (tx) => store.remove(tx, lease, row))
  const seen = (await ended).filter(({ type }) => type !== 4)
  expect(seen.map(({ type, resource }) => [type, resource?.name, resource?.labels['n']])).toEqual([
    [1, 'first', undefined],
    [2, 'first', 'x'],
    [3, 'first', 'x'],
  ])
})

it('never steps back or repeats while writers write from before the watch begins', async () => {
  const names = Array.from({ length: 5 }, (_, n) => `busy${n}`)
  for (const name of names) await createVolume(db, name)
  const rounds = 30
  const writing = Promise.all(
    names.map(async (name) => {
      for (let round = 1; round <= rounds; round += 1) await label(name, String(round))
    }),
  )
  const latest = (seen: Seen[]) =>
    new Map(seen.flatMap(({ resource }) => (resource ? [[resource.name, Number(resource.labels['n'] ?? 0)]] : [])))
  const done = (seen: Seen[]) => names.every((name) => latest(seen).get(name) === rounds)
  const watches = [watch(done), watch(done), watch(done)]
  const cut = await watch((seen) => seen.filter(({ type }) => type === 2).length >= 20)
  const token = cut.at(-1)?.resumeToken ?? ''
  const resumed = watch((seen) => done([...cut, ...seen]), { resumeToken: token })
  await writing
  const histories = [...(await Promise.all(watches)), [...cut, ...(await resumed)]]
  for (const seen of histories) {
    for (const name of names) {
      const values = seen.filter(({ resource }) => resource?.name === name).map(({ resource }) => Number(resource?.labels['n'] ?? 0))
      expect(values).toEqual(Array.from({ length: rounds + 1 - (values[0] ?? 0) }, (_, n) => (values[0] ?? 0) + n))
    }
  }
})

it('tells once more of what no longer fits the filter, and nothing of what never did', async () => {
  await createVolume(db, 'wanted')
  await createVolume(db, 'unwanted')
  await label('wanted', 'yes')
  const { ended } = await begin((seen) => seen.some(({ resource }) => resource?.labels['n'] === 'no'), { filter: 'label.n=yes' })
  await label('unwanted', 'never')
  await label('wanted', 'no')
  const seen = (await ended).filter(({ type }) => type !== 4)
  expect(seen.map(({ resource }) => resource?.name)).toEqual(['wanted', 'wanted'])
})

it('shows another project an empty state', async () => {
  expect(await watch(caughtUp, { project: 'other' })).toMatchObject([{ type: 4, resource: undefined }])
})

it('refuses a bad token and a bad filter', async () => {
  await expect(watch(() => true, { resumeToken: 'x' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_RESUME_TOKEN' })
  await expect(watch(() => true, { filter: 'x' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FILTER' })
})

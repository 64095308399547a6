import type { Database, Stored } from '@berth/db'
import { aborted, cancelled, internal, isBerthError } from '@berth/errors'
import { type Events, openEvents } from '@berth/events'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { type Volume, VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { createLogger } from '@berth/telemetry'
import {
  createRequest,
  createVolume,
  sampleCaller,
  tempDir,
  type TestDatabase,
  testDatabase,
  until,
  volumeStore,
  volumesSql,
} from '@berth/testing'
import { resourceVerbs } from '@berth/db'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext } from '@connectrpc/connect'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import {
  again,
  type Controller,
  controller,
  createOperations,
  holdHost,
  type Lease,
  type Next,
  type Operations,
  operationService,
  type ReconcileContext,
  settled,
  sweep,
} from '../src/index.ts'

type Row = Stored<Volume, { path: string | null }>
const logger = createLogger({ name: 'test', level: 'silent' })
const context = { signal: new AbortController().signal } as HandlerContext

let stack: AsyncDisposableStack
let database: TestDatabase
let db: Database
let events: Events
let lease: Lease
let operations: Operations

async function start(): Promise<void> {
  stack = new AsyncDisposableStack()
  database = stack.use(await testDatabase())
  await database.sql(volumesSql)
  db = database.open('volume')
  events = stack.use(openEvents({ db, natsUrl: undefined, logger }))
  const data = stack.use(tempDir('controller'))
  lease = stack.use(await holdHost({ db, dataDir: data.path, advertise: '', logger, signal: AbortSignal.timeout(10_000) }))
  operations = stack.use(createOperations({ db, events }))
}
beforeEach(start)
afterEach(async () => {
  vi.unstubAllEnvs()
  await stack.disposeAsync()
})

function run(reconcile: (row: Row, context: ReconcileContext) => Promise<Next>): Controller {
  return stack.use(controller({ name: 'volume', store: volumeStore(db), lease, events, operations, concurrency: 4, reconcile, logger }))
}

/** What a service would do: make it, or undo it, and say so in the transaction that writes the status. */
function reconcileVolume(work: (row: Row, context: ReconcileContext) => Promise<void>) {
  const store = volumeStore(db)
  return async (row: Row, ctx: ReconcileContext): Promise<Next> => {
    const create = ctx.operations.find(({ kind }) => kind === 'volume.create')
    if (row.deleteTime !== null || create?.cancelRequested) {
      await db.transaction('volume.remove', async (tx) => {
        await store.remove(tx, ctx.lease, row)
        const why = create?.cancelRequested ? cancelled('OPERATION_CANCELLED', 'cancelled') : aborted('RESOURCE_DELETED', 'deleted')
        await operations.finishAll(tx, row.id, { 'volume.delete': 'DONE' }, why)
      })
      return settled()
    }
    if (create === undefined) return settled()
    await work(row, ctx)
    await db.transaction('volume.ready', async (tx) => {
      await store.updateStatus(tx, ctx.lease, row, { ...row.status, state: VolumeState.READY, observedGeneration: BigInt(row.generation) })
      await operations.finish(tx, create.id, 'DONE')
    })
    return settled()
  }
}

const service = () => operationService({ operations, callerOf: () => sampleCaller })
const make = (name: string) => createVolume(db, name, '', { host: lease.hostId })
const remove = (name: string) =>
  resourceVerbs(volumeStore(db)).change(createRequest(name), { reference: name }, () => ({ delete: true, operation: 'volume.delete' }))

async function wait(id: string | undefined) {
  const { operation } = await service().waitOperation({ id: id ?? '', timeout: durationFromMs(10_000) } as never, context)
  return operation
}

it('works off a create and ends its operation with the status, in one transaction', async () => {
  run(
    reconcileVolume(async (_, { operations: open }) => {
      operations.progress(open[0]?.id ?? '', { stage: 'CLONE', done: 1, total: 2, unit: 'steps' })
      operations.progress(open[0]?.id ?? '', { stage: 'CHECK' })
    }),
  )
  const { operation } = await make('one')
  expect(await wait(operation?.id)).toMatchObject({ state: OperationState.DONE, stages: [{ stage: 'CLONE' }, { stage: 'CHECK' }] })
  expect((await volumeStore(db).get('default', 'one')).status.state).toBe(VolumeState.READY)
  expect(await volumeStore(db).unsettled(lease.hostId)).toEqual([])
})

for (const without of ['BERTH_TEST_NO_EVENTS', 'BERTH_TEST_NO_POLL']) {
  it(`works off a create under ${without}`, async () => {
    await stack.disposeAsync()
    vi.stubEnv(without, '1')
    await start()
    run(reconcileVolume(async () => {}))
    const { operation } = await make('one')
    expect(await wait(operation?.id)).toMatchObject({ state: OperationState.DONE })
  })
}

it('aborts a run whose operation is cancelled, and lets the next run undo it', async () => {
  const reasons: string[] = []
  const began = Promise.withResolvers<void>()
  run(
    reconcileVolume(async (_, { signal }) => {
      began.resolve()
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }),
  )
  const { operation } = await make('stalled')
  await began.promise
  const id = operation?.id ?? ''
  const watched: (string | undefined)[] = []
  const watching = (async () => {
    for await (const { operation: seen } of service().watchOperation({ id } as never, context)) watched.push(String(seen?.state))
  })()
  await service().cancelOperation({ id } as never, context)
  const end = await wait(id)
  expect(end).toMatchObject({ state: OperationState.CANCELLED, cancelRequested: true, error: { code: 1 } })
  await watching
  expect(watched.at(-1)).toBe(String(OperationState.CANCELLED))
  expect(await volumeStore(db).find('default', 'stalled')).toBeUndefined()
  await expect(async () => service().cancelOperation({ id } as never, context)).rejects.toMatchObject({ reason: 'OPERATION_ENDED' })
  expect(reasons).toEqual([])
})

it('lets a delete win over a create that is under way', async () => {
  const seen: unknown[] = []
  run(
    reconcileVolume(async (_, { signal, lifetime }) => {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))).catch((error: unknown) => {
        seen.push(isBerthError(error) && error.reason, lifetime.aborted)
        throw error
      })
    }),
  )
  const { operation } = await make('unwanted')
  await until('it runs', async () => (await volumeStore(db).get('default', 'unwanted')) !== undefined)
  const { operation: deletion } = await remove('unwanted')
  expect(await wait(deletion?.id)).toMatchObject({ state: OperationState.DONE })
  expect(await wait(operation?.id)).toMatchObject({ state: OperationState.CANCELLED })
  expect(seen.length === 0 || seen[0] === 'RESOURCE_DELETED').toBe(true)
})

it('tries again after an error, and after a restart goes on with what is open', async () => {
  let attempts = 0
  const first = run(
    reconcileVolume(async (_, { attempt }) => {
      attempts = attempt
      throw internal('X', 'not yet')
    }),
  )
  const { operation } = await make('failing')
  await until('three attempts', () => attempts >= 3)
  await first[Symbol.asyncDispose]()
  run(reconcileVolume(async () => {}))
  expect(await wait(operation?.id)).toMatchObject({ state: OperationState.DONE })
})

it('runs a key now, once at a time, for whoever asks', async () => {
  let running = 0
  let most = 0
  let runs = 0
  const loop = run(async () => {
    runs += 1
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setTimeout(resolve, 20))
    running -= 1
    return again(60_000)
  })
  const { resource } = await make('now')
  const signal = AbortSignal.timeout(5_000)
  await Promise.all(Array.from({ length: 10 }, () => loop.reconcileNow(resource?.id ?? '', signal)))
  expect(most).toBe(1)
  expect(runs).toBeLessThan(5)
  await expect(loop.reconcileNow(resource?.id ?? '', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
})

it('leaves rows of another host alone', async () => {
  const seen: string[] = []
  run(async (row) => {
    seen.push(row.host)
    return settled()
  })
  await createVolume(db, 'theirs', '', { host: 'hst_other' })
  await make('ours')
  await until('ours was seen', () => seen.length > 0)
  expect(new Set(seen)).toEqual(new Set([lease.hostId]))
})

it('writes progress at most twice a second, under its own purpose', async () => {
  const { operation } = await make('slow')
  const start = performance.now()
  for (let done = 0; performance.now() - start < 1_200; done += 1) {
    operations.progress(operation?.id ?? '', { stage: 'PULL', done, total: 1000, unit: 'bytes' })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await operations.flush()
  expect(db.metrics()['progress']?.committed).toBeGreaterThan(1)
  expect(db.metrics()['progress']?.committed).toBeLessThanOrEqual(5)
})

it('shows distinct places to all who wait, at every moment', async () => {
  const made = await Promise.all(['a', 'b', 'c'].map((name) => make(`queued-${name}`)))
  operations.positions(new Map(made.map(({ operation }, index) => [operation?.id ?? '', index + 1])))
  await operations.flush()
  const places = await database.sql(`select done from volume.operations where stage = 'QUEUED' order by done`)
  expect(places.map(({ done }) => Number(done))).toEqual([1, 2, 3])
})

it('lists operations by page and filter, and only of the project', async () => {
  for (const name of ['l1', 'l2', 'l3']) await make(name)
  const list = (request: object, project = 'default') =>
    operationService({ operations, callerOf: () => ({ project, actor: 'a' }) }).listOperations(
      { pageSize: 0, pageToken: '', filter: '', ...request } as never,
      context,
    )
  const first = await list({ pageSize: 2 })
  const second = await list({ pageSize: 2, pageToken: first.nextPageToken })
  expect([...(first.operations ?? []), ...(second.operations ?? [])].map(({ resourceName }) => resourceName)).toEqual(['l1', 'l2', 'l3'])
  expect((await list({ filter: 'state=DONE' })).operations).toEqual([])
  expect((await list({ filter: 'kind=volume.create' })).operations).toHaveLength(3)
  expect((await list({}, 'other')).operations).toEqual([])
  await expect(list({ filter: 'colour=red' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FILTER' })
})

it('sweeps what is old, and tells a watch that is further back', async () => {
  const { operation } = await make('old')
  await until('all have their place', async () => (await database.sql('select 1 from volume.outbox where seq is null')).length === 0)
  await database.sql(`update volume.operations set end_time = now() - interval '8 days' where id = '${operation?.id}'`)
  await database.sql(`update volume.outbox set seq_time = now() - interval '8 days'`)
  await database.sql(
    `insert into volume.request_ids (project, actor, method, request_id, body_hash, create_time) values ('p', 'a', 'm', 'r', 'h', now() - interval '25 hours')`,
  )
  expect(await sweep(db)).toEqual({ operations: 1, events: 2, requestIds: 1 })
  const [relay] = await database.sql('select last_seq, floor_seq from volume.relay')
  expect(relay?.['floor_seq']).toBe(relay?.['last_seq'])
  expect(await sweep(db)).toEqual({ operations: 0, events: 0, requestIds: 0 })
})

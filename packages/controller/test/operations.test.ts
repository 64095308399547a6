import { until } from '@berth/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { operationService, sweep } from '../src/index.ts'
import { context, startWorld, type World } from './fixture.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world[Symbol.asyncDispose]())

it('writes progress at most twice a second, under its own purpose', async () => {
  const { operation } = await world.make('slow')
  const start = performance.now()
  for (let done = 0; performance.now() - start < 1_200; done += 1) {
    world.operations.progress(operation?.id ?? '', { stage: 'PULL', done, total: 1000, unit: 'bytes' })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await world.operations.flush()
  expect(world.db.metrics()['progress']?.committed).toBeGreaterThan(1)
  expect(world.db.metrics()['progress']?.committed).toBeLessThanOrEqual(5)
})

it('shows distinct places to all who wait, at every moment', async () => {
  const made = await Promise.all(['a', 'b', 'c'].map((name) => world.make(`queued-${name}`)))
  world.operations.positions(new Map(made.map(({ operation }, index) => [operation?.id ?? '', index + 1])))
  await world.operations.flush()
  const places = await world.database.sql(`select done from volume.operations where stage = 'QUEUED' order by done`)
  expect(places.map(({ done }) => Number(done))).toEqual([1, 2, 3])
})

it('lists operations by page and filter, and only of the project', async () => {
  for (const name of ['l1', 'l2', 'l3']) await world.make(name)
  const list = (request: object, project = 'default') =>
    operationService({ operations: world.operations, callerOf: () => ({ project, actor: 'a' }) }).listOperations(
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
  const { operation } = await world.make('old')
  await until('all have their place', async () => (await world.database.sql('select 1 from volume.outbox where seq is null')).length === 0)
  await world.database.sql(`update volume.operations set end_time = now() - interval '8 days' where id = '${operation?.id}'`)
  await world.database.sql(`update volume.outbox set seq_time = now() - interval '8 days'`)
  await world.database.sql(
    `insert into volume.request_ids (project, actor, method, request_id, body_hash, create_time) values ('p', 'a', 'm', 'r', 'h', now() - interval '25 hours')`,
  )
  expect(await sweep(world.db)).toEqual({ operations: 1, events: 2, requestIds: 1 })
  const [relay] = await world.database.sql('select last_seq, floor_seq from volume.relay')
  expect(relay?.['floor_seq']).toBe(relay?.['last_seq'])
  expect(await sweep(world.db)).toEqual({ operations: 0, events: 0, requestIds: 0 })
})

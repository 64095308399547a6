import { resourceVerbs, type Stored } from '@berth/db'
import { aborted, cancelled, internal, isBerthError } from '@berth/errors'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { type Volume, VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { createRequest, createVolume, until, volumeStore } from '@berth/testing'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { again, type Controller, controller, type Next, type ReconcileContext, settled } from '../src/index.ts'
import { context, logger, startWorld, type World } from './fixture.ts'

type Row = Stored<Volume, { path: string | null }>

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await world[Symbol.asyncDispose]()
})

function run(reconcile: (row: Row, context: ReconcileContext) => Promise<Next>): Controller {
  const { stack, db, lease, events, operations } = world
  return stack.use(controller({ name: 'volume', store: volumeStore(db), lease, events, operations, concurrency: 4, reconcile, logger }))
}

/** What a service would do: make it, or undo it, and say so in the transaction that writes the status. */
function reconcileVolume(work: (row: Row, context: ReconcileContext) => Promise<void>) {
  const { db, operations } = world
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

const remove = (name: string) =>
  resourceVerbs(volumeStore(world.db)).change(createRequest(name), { reference: name }, () => ({
    delete: true,
    operation: 'volume.delete',
  }))

it('works off a create and ends its operation with the status, in one transaction', async () => {
  run(
    reconcileVolume(async (_, { operations: open }) => {
      world.operations.progress(open[0]?.id ?? '', { stage: 'CLONE', done: 1, total: 2, unit: 'steps' })
      world.operations.progress(open[0]?.id ?? '', { stage: 'CHECK' })
    }),
  )
  const { operation } = await world.make('one')
  expect(await world.wait(operation?.id)).toMatchObject({ state: OperationState.DONE, stages: [{ stage: 'CLONE' }, { stage: 'CHECK' }] })
  expect((await volumeStore(world.db).get('default', 'one')).status.state).toBe(VolumeState.READY)
  expect(await volumeStore(world.db).unsettled(world.lease.hostId)).toEqual([])
})

const switches = ['BERTH_TEST_NO_EVENTS', 'BERTH_TEST_NO_POLL']
for (const without of switches) {
  it(`works off a create under ${without}`, async () => {
    await world[Symbol.asyncDispose]()
    for (const name of switches) vi.stubEnv(name, name === without ? '1' : '')
    world = await startWorld()
    run(reconcileVolume(async () => {}))
    const { operation } = await world.make('one')
    expect(await world.wait(operation?.id)).toMatchObject({ state: OperationState.DONE })
  })
}

it('aborts a run whose operation is cancelled, and lets the next run undo it', async () => {
  const began = Promise.withResolvers<void>()
  run(
    reconcileVolume(async (_, { signal }) => {
      began.resolve()
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }),
  )
  const { operation } = await world.make('stalled')
  await began.promise
  const id = operation?.id ?? ''
  const watched: (string | undefined)[] = []
  const watching = (async () => {
    for await (const { operation: seen } of world.service.watchOperation({ id } as never, context)) watched.push(String(seen?.state))
  })()
  await world.service.cancelOperation({ id } as never, context)
  const end = await world.wait(id)
  expect(end).toMatchObject({ state: OperationState.CANCELLED, cancelRequested: true, error: { code: 1 } })
  await watching
  expect(watched.at(-1)).toBe(String(OperationState.CANCELLED))
  expect(await volumeStore(world.db).find('default', 'stalled')).toBeUndefined()
  await expect(async () => world.service.cancelOperation({ id } as never, context)).rejects.toMatchObject({ reason: 'OPERATION_ENDED' })
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
  const { operation } = await world.make('unwanted')
  await until('it runs', async () => (await volumeStore(world.db).get('default', 'unwanted')) !== undefined)
  const { operation: deletion } = await remove('unwanted')
  expect(await world.wait(deletion?.id)).toMatchObject({ state: OperationState.DONE })
  expect(await world.wait(operation?.id)).toMatchObject({ state: OperationState.CANCELLED })
  expect(seen.length === 0 || seen[0] === 'RESOURCE_DELETED').toBe(true)
})

it('tries again after an error, and after a restart goes on with what is open', async () => {
  const failing: boolean[] = []
  const first = run(
    reconcileVolume(async (_, { failingSinceMs }) => {
      failing.push(failingSinceMs !== undefined)
      throw internal('X', 'not yet')
    }),
  )
  const { operation } = await world.make('failing')
  await until('three attempts', () => failing.length >= 3)
  expect(failing.slice(0, 3)).toEqual([false, true, true])
  await first[Symbol.asyncDispose]()
  run(reconcileVolume(async () => {}))
  expect(await world.wait(operation?.id)).toMatchObject({ state: OperationState.DONE })
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
  const { resource } = await world.make('now')
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
  await createVolume(world.db, 'theirs', '', { host: 'hst_other' })
  await world.make('ours')
  await until('ours was seen', () => seen.length > 0)
  expect(new Set(seen)).toEqual(new Set([world.lease.hostId]))
})

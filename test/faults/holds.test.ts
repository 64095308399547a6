import { InstanceState, RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { CELLS, CRASH_POINTS, isCut } from './crash-points.ts'
import { begin, cleanAudit, dropImage, endOf, expectHits, gone, made, type Matrix, pull, startMatrix, starts } from './matrix.ts'

/** Several at once: each point acts on the first that comes to it, so that together they pass all of them. */
let matrix: Matrix
let quiet: object
const timeout = 240_000
const spec = { restartPolicy: RestartPolicy.NEVER }

beforeAll(async () => {
  matrix = await startMatrix(11_200)
  await gone(matrix, await made(matrix, 'first'))
  quiet = await cleanAudit(matrix, 'the first')
}, 300_000)
afterAll(() => matrix?.[Symbol.asyncDispose]())
afterEach(async () => {
  matrix.failpoints.clear()
  // What a failed test left would fail those that follow.
  await each((await matrix.api.instances.listInstances({})).instances, ({ id }) => gone(matrix, id).catch(unlessGone))
})

const names = (pattern: RegExp) => matrix.failpoints.names().filter((name) => pattern.test(name))
const each = <T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>) => Promise.all(items.map(work))
const several = (count: number, name: string) => Array.from({ length: count }, (_, index) => `${name}-${index}`)
const held = (points: readonly string[]) => until(`all are held: ${points.join(' ')}`, () => points.every(matrix.failpoints.hit), 60_000)
const remove = (id: string) => matrix.api.instances.deleteInstance({ id })
/** For what may have gone by itself meanwhile. */
const unlessGone = (error: { reason?: string }) => {
  expect(error.reason).toMatch(/_NOT_FOUND$/)
  return undefined
}

async function running(count: number, name: string): Promise<string[]> {
  return each(several(count, name), (one) => made(matrix, one, spec))
}

async function stopped(count: number, name: string): Promise<string[]> {
  const ids = await running(count, name)
  await each(ids, async (id) => endOf(matrix.api, (await matrix.api.instances.stopInstance({ id })).operation, OperationState.DONE))
  return ids
}

/** Ends with the operation done, or with a reason that names the failpoint. */
async function endedWithReason(operation: Operation | undefined): Promise<OperationState> {
  const { state, error } = await endOf(matrix.api, operation)
  if (state === OperationState.FAILED) expect(error?.message).toContain('failpoint')
  else expect(state).toBe(OperationState.DONE)
  return state
}

async function nothingLeft(after: string): Promise<void> {
  expect((await matrix.api.instances.listInstances({})).instances).toEqual([])
  expect({ after, compared: await cleanAudit(matrix, after) }).toEqual({ after, compared: quiet })
}

it('every failpoint that a service registers stands for a crash point, and some test cuts it', () => {
  const known = CRASH_POINTS.flatMap(({ points }) => points)
  const registered = matrix.failpoints.names()
  expect(registered.filter((name) => !known.includes(name))).toEqual([])
  expect(registered.filter((name) => !isCut(name))).toEqual([])
  expect(known.filter((name) => !registered.includes(name))).toEqual([])
  expect(CRASH_POINTS.filter(({ points, note }) => points.length === 0 && !note)).toEqual([])
  expect(CRASH_POINTS.map(({ id }) => id).filter((id) => id.startsWith('CP-'))).toEqual(
    Array.from({ length: 32 }, (_, index) => `CP-${String(index + 1).padStart(2, '0')}`),
  )
})

it('an error at any step of a delete is got over', { timeout }, async () => {
  const ids = await running(16, 'delete-error')
  const points = names(CELLS.error.delete)
  matrix.failpoints.armOnce('error', ...points)
  await each(ids, (id) => gone(matrix, id))
  expectHits(matrix, points)
  await nothingLeft('errors in deletes')
})

it('an error at any step of an undoing is got over', { timeout }, async () => {
  const points = names(CELLS.error.undo)
  matrix.failpoints.armLines('instance.create.agent.before=error', ...points.map((name) => `${name}=error *1`))
  await each(several(points.length, 'undo-error'), async (name) => {
    const { operation } = await begin(matrix, name, spec)
    expect((await endOf(matrix.api, operation, OperationState.FAILED)).error?.message).toContain('instance.create.agent.before')
  })
  expectHits(matrix, points)
  await nothingLeft('errors in undoings')
})

it('an error at any step of a start or a stop ends it with the reason, and the instance is off and can go', { timeout }, async () => {
  const ids = await stopped(names(CELLS.error.start).length, 'start-error')
  const starting = names(CELLS.error.start)
  matrix.failpoints.armOnce('error', ...starting)
  const states = await each(ids, async (id) => endedWithReason((await matrix.api.instances.startInstance({ id })).operation))
  expectHits(matrix, starting)
  const failed = ids.filter((_, index) => states[index] === OperationState.FAILED)
  for (const id of failed) {
    const { instance } = await matrix.api.instances.getInstance({ id })
    expect({ id, state: instance?.status?.state }).toEqual({ id, state: InstanceState.STOPPED })
  }
  const on = ids.filter((id) => !failed.includes(id))
  const stopping = names(CELLS.error.stop)
  matrix.failpoints.armOnce('error', ...stopping)
  const late = await running(8, 'stop-error')
  await each([...on, ...late], async (id, index) => {
    const gracePeriod = { seconds: index % 2 === 0 ? 0n : 3n }
    await endedWithReason((await matrix.api.instances.stopInstance({ id, gracePeriod })).operation)
    await until(
      'it is off',
      async () => (await matrix.api.instances.getInstance({ id })).instance?.status?.state === InstanceState.STOPPED,
      60_000,
    )
  })
  expectHits(matrix, stopping)
  for (const id of [...ids, ...late]) starts(matrix, id)
  await cleanAudit(matrix, 'errors in starts and stops')
  await each([...ids, ...late], (id) => gone(matrix, id))
  await nothingLeft('errors in starts and stops')
})

it('an error at any step of a volume ends its creation with the reason and leaves nothing', { timeout }, async () => {
  for (const point of names(CELLS.error.volume)) {
    matrix.failpoints.armOnce('error', point)
    const { operation } = await matrix.api.volumes.createVolume({ name: 'failing', sizeBytes: 1n << 20n })
    const last = await endOf(matrix.api, operation)
    expectHits(matrix, [point])
    // What fails after the volume has been written down stands.
    if (last.state === OperationState.DONE) {
      const removal = await matrix.api.volumes.deleteVolume({ id: operation?.resourceId })
      await endOf(matrix.api, removal.operation, OperationState.DONE)
    }
    expect((await matrix.api.volumes.listVolumes({})).volumes).toEqual([])
    await nothingLeft(point)
  }
})

it('a delete while a start, a stop or an undoing is held anywhere ends both', { timeout }, async () => {
  const off = await stopped(names(CELLS.delete.start).length, 'start-held')
  const starting = names(CELLS.delete.start)
  matrix.failpoints.armOnce('stall', ...starting)
  const asked = await each(off, async (id) => (await matrix.api.instances.startInstance({ id })).operation)
  await held(starting)
  await each(off, (id) => gone(matrix, id))
  await each(asked, (operation) => endOf(matrix.api, operation))
  for (const id of off) starts(matrix, id)

  const on = await running(8, 'stop-held')
  const stopping = names(CELLS.delete.stop)
  matrix.failpoints.armOnce('stall', ...stopping)
  const stops = await each(on, async (id, index) => {
    return (await matrix.api.instances.stopInstance({ id, gracePeriod: { seconds: index % 2 === 0 ? 0n : 10n } })).operation
  })
  await held(stopping)
  await each(on, (id) => gone(matrix, id))
  await each(stops, (operation) => endOf(matrix.api, operation))

  const undoing = names(CELLS.delete.undo)
  matrix.failpoints.armLines('instance.create.agent.before=error', ...undoing.map((name) => `${name}=stall *1`))
  const begun = await each(several(undoing.length, 'undo-held'), (name) => begin(matrix, name, spec))
  await held(undoing)
  const removals = await each(begun, ({ id }) => remove(id).catch(unlessGone))
  await each(removals, async (removal) => removal && endOf(matrix.api, removal.operation, OperationState.DONE))
  for (const { operation } of begun) expect((await endOf(matrix.api, operation)).state).not.toBe(OperationState.DONE)
  await nothingLeft('deletes while held')
})

it('a delete of a volume that is held anywhere in its creation ends both', { timeout }, async () => {
  for (const point of names(CELLS.delete.volume)) {
    matrix.failpoints.armOnce('stall', point)
    const { volume, operation } = await matrix.api.volumes.createVolume({ name: 'held', sizeBytes: 1n << 20n })
    await held([point])
    const removal = await matrix.api.volumes.deleteVolume({ id: volume?.id })
    await endOf(matrix.api, removal.operation, OperationState.DONE)
    await endOf(matrix.api, operation)
    await nothingLeft(point)
  }
})

it('deletes of its name, again and again, while a create is held anywhere: it is gone, and the name is free', { timeout }, async () => {
  const points = names(CELLS.again.create)
  matrix.failpoints.armOnce('stall', ...points)
  const all = several(36, 'create-held')
  const begun = await each(all, (name) => begin(matrix, name, spec))
  await held(points)
  await each(all, async (name) => {
    const [one, other] = await Promise.all([remove(name), remove(name)])
    await endOf(matrix.api, one.operation ?? other.operation, OperationState.DONE)
  })
  await each(begun, ({ operation }) => endOf(matrix.api, operation))
  for (const { id } of begun) expect(starts(matrix, id)).toBeLessThan(2)
  matrix.failpoints.clear()
  const again = await each(all.slice(0, 8), (name) => made(matrix, name, spec))
  for (const id of again) expect(starts(matrix, id)).toBe(1)
  await each(again, (id) => gone(matrix, id))
  await nothingLeft('creates that were deleted twice')
})

it('deletes of its name, again and again, while a delete is held anywhere: one delete', { timeout }, async () => {
  const all = several(20, 'delete-held')
  await each(all, (name) => made(matrix, name, spec))
  const points = names(CELLS.again.delete)
  matrix.failpoints.armOnce('stall', ...points)
  const removals = await each(all, async (name) => (await remove(name)).operation)
  await held(points)
  await each(all, (name) => remove(name).catch(unlessGone))
  matrix.failpoints.clear()
  await each(removals, (operation) => endOf(matrix.api, operation, OperationState.DONE))
  await nothingLeft('deletes that were asked for twice')
})

it('deletes of an image, again, while one is held: one delete', { timeout }, async () => {
  for (const point of names(CELLS.again.image)) {
    const [image] = (await matrix.api.images.listImages({})).images
    matrix.failpoints.armOnce('stall', point)
    const { operation } = await matrix.api.images.deleteImage({ id: image?.id })
    await held([point])
    const again = await matrix.api.images.deleteImage({ id: image?.name }).catch(unlessGone)
    expect(again?.operation?.id ?? operation?.id).toBe(operation?.id)
    matrix.failpoints.clear()
    await endOf(matrix.api, operation, OperationState.DONE)
    await pull(matrix)
  }
  await dropImage(matrix)
  await cleanAudit(matrix, 'deletes of images')
})

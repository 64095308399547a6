import { InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { CELLS, hands } from './crash-points.ts'
import { begin, cleanAudit, dropImage, endOf, expectHits, gone, insist, made, type Matrix, pull, startMatrix, starts } from './matrix.ts'

let matrix: Matrix
/** How much an audit compares when there is neither instance nor image, and with the image. */
let quiet: { withImage: object; withoutImage: object }

beforeAll(async () => {
  matrix = await startMatrix(11_000)
  await gone(matrix, await made(matrix, 'first'))
  const withImage = await cleanAudit(matrix, 'the first')
  await dropImage(matrix)
  quiet = { withImage, withoutImage: await cleanAudit(matrix, 'the first') }
}, 300_000)
afterAll(async () => {
  await matrix?.[Symbol.asyncDispose]()
})
afterEach(async () => {
  matrix.failpoints.clear()
  // What a failed test left would fail those that follow.
  for (const { id } of (await insist(() => matrix.api.instances.listInstances({}))).instances) await gone(matrix, id)
})

/** Several services are killed and started in each test. */
const timeout = 240_000

/** Arms kills for what comes next, lets it come, and says that all of them happened. */
async function killing<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
  matrix.failpoints.armOnce('exit', ...names)
  try {
    const result = await work()
    expectHits(matrix, names)
    return result
  } finally {
    matrix.failpoints.clear()
  }
}

async function createdOnce(name: string): Promise<string> {
  const { id, operation, requestId } = await begin(matrix, name)
  await endOf(matrix.api, operation, OperationState.DONE)
  expect(await begin(matrix, name, {}, requestId)).toMatchObject({ id, operation: { id: operation.id } })
  const { instance } = await insist(() => matrix.api.instances.getInstance({ id }))
  expect({ name, state: instance?.status?.state }).toEqual({ name, state: InstanceState.RUNNING })
  expect(starts(matrix, id)).toBe(1)
  return id
}

async function turned(which: 'stopInstance' | 'startInstance', id: string): Promise<void> {
  const message = { id, requestId: crypto.randomUUID() }
  const ask = async () => (await matrix.api.instances[which](message)).operation
  await endOf(matrix.api, await insist(ask), OperationState.DONE)
}

const LIVES = 3
const lives = hands(CELLS.kill.create, LIVES).map((create, index) => ({
  name: `life-${index}`,
  create,
  stop: hands(CELLS.kill.stop, LIVES)[index] ?? [],
  start: hands(CELLS.kill.start, LIVES)[index] ?? [],
  remove: hands(CELLS.kill.delete, LIVES)[index] ?? [],
}))

it.each(lives)('$name, whose services are killed at every third point, is one VM and leaves nothing', { timeout }, async (life) => {
  const { name, create, stop, start, remove } = life
  await dropImage(matrix)
  const id = await killing(create, () => createdOnce(name))
  await cleanAudit(matrix, create.join(' '))
  if (stop.length > 0) await killing(stop, () => turned('stopInstance', id))
  if (start.length > 0) await killing(start, () => turned('startInstance', id))
  expect(starts(matrix, id)).toBe(start.length > 0 ? 2 : 1)
  await killing(remove, () => gone(matrix, id))
  expect(await cleanAudit(matrix, remove.join(' '))).toEqual(quiet.withImage)
})

it('a create that fails, and whose undoing is killed, fails all the same and leaves nothing', { timeout }, async () => {
  const { instance } = CELLS.kill.undo
  matrix.failpoints.armLines('instance.create.agent.before=error *1', ...instance.map((name) => `${name}=exit *1`))
  const { id, operation, requestId } = await begin(matrix, 'undone')
  const last = await endOf(matrix.api, operation, OperationState.FAILED)
  expect(last.error?.message).toContain('instance.create.agent.before')
  expectHits(matrix, instance)
  matrix.failpoints.clear()
  expect(starts(matrix, id)).toBe(1)
  expect((await begin(matrix, 'undone', {}, requestId)).operation.id).toBe(operation.id)
  expect(await cleanAudit(matrix, 'an undoing')).toEqual(quiet.withImage)
})

it('a volume whose service is killed at each of its steps is made once', { timeout }, async () => {
  const requestId = crypto.randomUUID()
  const ask = () => insist(() => matrix.api.volumes.createVolume({ name: 'cut', sizeBytes: 1n << 20n, requestId }))
  const { volume, operation } = await killing(CELLS.kill.volume.volume, async () => {
    const answer = await ask()
    await endOf(matrix.api, answer.operation, OperationState.DONE)
    return answer
  })
  expect(await ask()).toMatchObject({ volume: { id: volume?.id }, operation: { id: operation?.id } })
  const removal = await insist(() => matrix.api.volumes.deleteVolume({ id: volume?.id, requestId: crypto.randomUUID() }))
  await endOf(matrix.api, removal.operation, OperationState.DONE)
  await cleanAudit(matrix, 'a volume')
})

it('an image whose service is killed at each step of its removal is gone, once', { timeout }, async () => {
  await pull(matrix)
  await killing(CELLS.kill.image.image, () => dropImage(matrix))
  expect(await cleanAudit(matrix, 'an image')).toEqual(quiet.withoutImage)
})

import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { failpointNames } from '@berth/controller'
import { RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { tempDir, until } from '@berth/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { imageSpec, world } from './world.ts'
// Registers every step of the service.
import '../src/service.ts'

const points = failpointNames().filter((name) => name.startsWith('instance.create.'))
const folder = tempDir('failpoints')
const file = path.join(folder.path, 'armed')
const arm = (line: string): void => writeFileSync(file, `${line}\n`)
const disarm = (): void => rmSync(file, { force: true })

let w: Awaited<ReturnType<typeof world>>
beforeAll(async () => {
  w = await world({ BERTH_FAILPOINTS_FILE: file })
})
afterAll(async () => {
  await w[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** Nothing is left of any instance but operations. */
async function nothingLeft(): Promise<void> {
  expect([...w.peers.held]).toEqual([])
  expect((await w.instances.listInstances({})).instances).toEqual([])
  const { findings, compared } = await w.audit.auditHost({})
  expect({ findings, compared }).toEqual({ findings: [], compared: { row: 0n } })
}

/** Waits until the create stands still: a stalled point changes nothing more. */
async function stalled(): Promise<{ id: string; operationId: string }> {
  const { instance, operation } = await w.instances.createInstance({ spec: imageSpec() })
  await until('the create has begun', async () => {
    const { operation: now } = await w.operations.getOperation({ id: operation?.id ?? '' })
    return (now?.stages.length ?? 0) > 0
  })
  return { id: instance?.id ?? '', operationId: operation?.id ?? '' }
}

test('a create has at least ten points at which it can be cut', () => {
  expect(points.length).toBeGreaterThanOrEqual(10)
})

test.each(points)('an error at %s fails the create with its reason and leaves nothing', async (point) => {
  arm(`${point}=error`)
  const { operation } = await w.instances.createInstance({ spec: imageSpec() })
  expect(await w.ended(operation)).toMatchObject({ stateName: 'FAILED', reason: 'FAILPOINT' })
  disarm()
  await nothingLeft()
})

test.each(points)('a delete while %s stalls ends the create and leaves nothing', async (point) => {
  arm(`${point}=stall`)
  const { id, operationId } = await stalled()
  const { operation } = await w.instances.deleteInstance({ id })
  expect(await w.ended(operation)).toMatchObject({ stateName: 'DONE' })
  expect(await w.ended(operationId)).toMatchObject({ stateName: 'CANCELLED' })
  disarm()
  await nothingLeft()
})

test.each(points)('a cancel while %s stalls ends the create and leaves nothing', async (point) => {
  arm(`${point}=stall`)
  const { operationId } = await stalled()
  await w.operations.cancelOperation({ id: operationId })
  expect(await w.ended(operationId)).toMatchObject({ stateName: 'CANCELLED' })
  disarm()
  await nothingLeft()
})

test('a second delete, and a second stop, answer the operation of the first while it goes on', async () => {
  disarm()
  const { instance, operation } = await w.instances.createInstance({ spec: imageSpec() })
  const id = instance?.id ?? ''
  expect(await w.ended(operation)).toMatchObject({ stateName: 'DONE' })
  for (const [point, ask] of [
    ['instance.stop.record.before', () => w.instances.stopInstance({ id })],
    ['instance.delete.row.before', () => w.instances.deleteInstance({ id })],
  ] as const) {
    arm(`${point}=stall`)
    const first = (await ask()).operation
    expect(first?.id).toMatch(/op_/)
    expect((await ask()).operation?.id).toBe(first?.id)
    disarm()
    expect(await w.ended(first)).toMatchObject({ stateName: 'DONE' })
  }
  await nothingLeft()
})

test('a start that fails once its VMM is made ends with the instance off: at no moment is it told as failed and there', async () => {
  disarm()
  const { instance, operation } = await w.instances.createInstance({ spec: { ...imageSpec(), restartPolicy: RestartPolicy.NEVER } })
  const id = instance?.id ?? ''
  expect(await w.ended(operation)).toMatchObject({ stateName: 'DONE' })
  await w.ended((await w.instances.stopInstance({ id })).operation)
  arm('instance.start.boot.before=error')
  expect(await w.ended((await w.instances.startInstance({ id })).operation)).toMatchObject({ stateName: 'FAILED', reason: 'FAILPOINT' })
  disarm()
  const told = await w.database.sql(`select resource->'status'->>'state' as state, resource->'status'->'lastExit'->>'message' as message
    from instance.outbox where resource_id = '${id}' and verb = 'status' order by ord`)
  const failed = told.filter(({ message }) => String(message).startsWith('FAILPOINT'))
  expect(failed.length).toBeGreaterThan(0)
  expect(failed.filter(({ state }) => state !== 'INSTANCE_STATE_STOPPED')).toEqual([])
  expect(told.at(-1)).toEqual(failed.at(-1))
  await w.ended((await w.instances.deleteInstance({ id })).operation)
  await nothingLeft()
})

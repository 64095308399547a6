import { type ExecInstanceRequest, InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { until } from '@berth/testing'
import { expect, test } from 'vitest'
import { conditionOf } from '../src/domain/conditions.ts'
import { imageSpec, world } from './world.ts'

type World = Awaited<ReturnType<typeof world>>

async function created(w: World, name = 'one') {
  const { instance, operation } = await w.instances.createInstance({ name, spec: imageSpec() })
  expect(await w.ended(operation)).toMatchObject({ stateName: 'DONE' })
  return instance?.id ?? ''
}

async function exec(w: World, id: string, command: string[]) {
  let out = ''
  let code = -1
  const requests = async function* (): AsyncGenerator<Pick<ExecInstanceRequest, 'message'>> {
    yield { message: { case: 'start', value: { id, command, env: {}, user: '', workingDir: '', stdin: false } as never } }
  }
  for await (const { message } of w.instances.execInstance(requests())) {
    if (message.case === 'stdout') out += Buffer.from(message.value).toString()
    if (message.case === 'exit') code = message.value.code
  }
  return { out, code }
}

const state = async (w: World, id: string) => (await w.instances.getInstance({ id })).instance?.status?.state

test('a create ends when the agent answers, an exec runs, and a delete leaves nothing', async () => {
  await using w = await world()
  const id = await created(w)
  const { instance } = await w.instances.getInstance({ id: 'one' })
  expect(instance?.status).toMatchObject({ state: InstanceState.RUNNING, bootCount: 1, imageDigest: 'sha256:0', accelerator: 'none' })
  expect(instance?.status && conditionOf(instance.status, 'Ready')?.reason).toBe('AGENT_READY')
  expect(w.peers.up.size).toBe(1)
  expect(await exec(w, id, ['echo', 'hello'])).toEqual({ out: 'hello\n', code: 0 })
  expect(await exec(w, id, ['exit', '7'])).toEqual({ out: '', code: 7 })
  await expect(exec(w, id, ['nothing'])).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'COMMAND_NOT_FOUND' })

  const { operation } = await w.instances.deleteInstance({ id })
  expect(await w.ended(operation)).toMatchObject({ stateName: 'DONE' })
  await expect(w.instances.getInstance({ id })).rejects.toMatchObject({ reason: 'INSTANCE_NOT_FOUND' })
  expect([...w.peers.held]).toEqual([])
  expect((await w.audit.auditHost({})).findings).toEqual([])
})

test('the stages of a create are told with their times', async () => {
  await using w = await world()
  const { operation } = await w.instances.createInstance({ spec: imageSpec() })
  const { stages = [] } = await w.ended(operation)
  expect(stages.map(({ stage }) => stage)).toEqual(['PULL', 'VOLUME', 'NETWORK', 'BOOT', 'AGENT'])
  expect(stages.every(({ startTime, endTime }) => startTime && endTime)).toBe(true)
})

test('a create that waits for a pull tells how many of its bytes are there, and instances are listed by their image', async () => {
  await using w = await world()
  const id = await created(w)
  w.peers.slow.add('big')
  const { operation } = await w.instances.createInstance({ name: 'waiting', spec: imageSpec('big') })
  await until('the bytes are told', async () => {
    const { operation: now } = await w.operations.getOperation({ id: operation?.id ?? '' })
    const { stage, done, total, unit } = now?.progress ?? {}
    return stage === 'PULL' && done === 5n && total === 10n && unit === 'bytes'
  })
  const { instances } = await w.instances.listInstances({ filter: 'image_id=img_x' })
  expect(instances.map((instance) => instance.id)).toEqual([id])
})

test('our own part of a create costs three writing transactions, and one more where the agent is waited for', async () => {
  await using w = await world()
  await created(w)
  const {
    progress: _,
    'instance.running': waited = 0,
    ...counted
  } = Object.fromEntries(
    Object.entries(w.server.db.metrics()).flatMap(([purpose, { committed }]) =>
      /^(instance|progress)/.test(purpose) ? [[purpose, committed]] : [],
    ),
  )
  expect(counted).toEqual({ 'instance.create': 1, 'instance.create.record': 1, 'instance.ready': 1 })
  expect(waited).toBeLessThanOrEqual(1)
})

test('a create that fails leaves its operation and nothing else', async () => {
  await using w = await world()
  const { operation } = await w.instances.createInstance({ name: 'gone', spec: imageSpec('missing') })
  expect(await w.ended(operation)).toMatchObject({ stateName: 'FAILED', reason: 'IMAGE_NOT_FOUND' })
  await expect(w.instances.getInstance({ id: 'gone' })).rejects.toMatchObject({ reason: 'INSTANCE_NOT_FOUND' })
  expect([...w.peers.held]).toEqual([])
})

test('stop and start, restart, and a later call that overtakes an earlier one', async () => {
  await using w = await world()
  const id = await created(w)
  expect(await w.ended((await w.instances.stopInstance({ id })).operation)).toMatchObject({ stateName: 'DONE' })
  expect(await state(w, id)).toBe(InstanceState.STOPPED)
  expect(w.peers.up.size).toBe(0)
  expect((await w.instances.stopInstance({ id })).operation).toBeUndefined()
  await expect(exec(w, id, ['true'])).rejects.toMatchObject({ reason: 'INSTANCE_NOT_RUNNING' })

  expect(await w.ended((await w.instances.startInstance({ id })).operation)).toMatchObject({ stateName: 'DONE' })
  expect(await state(w, id)).toBe(InstanceState.RUNNING)
  const before = (await w.instances.getInstance({ id })).instance?.status?.bootId
  expect(await w.ended((await w.instances.restartInstance({ id })).operation)).toMatchObject({ stateName: 'DONE' })
  const { instance } = await w.instances.getInstance({ id })
  expect(instance?.status?.bootId).not.toBe(before)
  expect(instance?.status).toMatchObject({ bootCount: 3, observedRestartGeneration: 1n })
  expect(instance?.status?.lastExit?.reason).toBe('STOPPED_BY_USER')
})

test('a crash is started again by the policy, with its reason told; a power-off is left alone', async () => {
  await using w = await world()
  const id = await created(w)
  w.recorder.happen(id, { kind: 'panicked' })
  w.recorder.happen(id, { kind: 'exited', known: true, code: 0, signal: 0, outOfMemory: false, startFailed: false, message: '' })
  await until('it has crashed and runs again', async () => {
    const { instance } = await w.instances.getInstance({ id })
    return instance?.status?.state === InstanceState.RUNNING && instance.status.restartCount === 1
  })
  expect((await w.instances.getInstance({ id })).instance?.status?.lastExit?.reason).toBe('GUEST_PANIC')

  w.recorder.happen(id, { kind: 'powered-off' })
  w.recorder.happen(id, { kind: 'exited', known: true, code: 0, signal: 0, outOfMemory: false, startFailed: false, message: '' })
  await until('it is off', async () => (await state(w, id)) === InstanceState.STOPPED)
  const { instance } = await w.instances.getInstance({ id })
  expect(instance?.status?.lastExit?.reason).toBe('GUEST_POWEROFF')
  expect(instance?.status?.nextRestartTime).toBeUndefined()
  expect(await w.ended((await w.instances.startInstance({ id })).operation)).toMatchObject({ stateName: 'DONE' })
})

test('a VMM whose guest has powered off is left to go: it is shut down until it ends, and not taken for one to boot', async () => {
  await using w = await world()
  const id = await created(w)
  w.recorder.happen(id, { kind: 'powered-off' })
  await until('that is said', async () => (await state(w, id)) === InstanceState.SHUTDOWN)
  w.recorder.happen(id, { kind: 'exited', known: true, code: 0, signal: 0, outOfMemory: false, startFailed: false, message: '' })
  await until('it is off', async () => (await state(w, id)) === InstanceState.STOPPED)
  const { instance } = await w.instances.getInstance({ id })
  expect(instance?.status).toMatchObject({ lastExit: { reason: 'GUEST_POWEROFF' }, restartCount: 0, bootCount: 1 })
})

test('VMs outlive their service: the next one finds them and starts no second', async () => {
  await using w = await world()
  const id = await created(w)
  const before = (await w.instances.getInstance({ id })).instance?.status
  await w.stop()
  await w.start()
  expect(await exec(w, id, ['echo', 'still'])).toEqual({ out: 'still\n', code: 0 })
  const after = (await w.instances.getInstance({ id })).instance?.status
  expect(after).toMatchObject({ vmmPid: before?.vmmPid, vmmStartTicks: before?.vmmStartTicks, bootCount: 1 })
  expect((await w.recorder.events({ instanceId: id } as never, 1)).filter(({ kind }) => kind === 'started')).toHaveLength(1)
})

test('creates over what the host boots at once wait in line and all get ready', async () => {
  await using w = await world({ BERTH_BOOT_SLOTS: '1' })
  const made = await Promise.all(
    Array.from({ length: 8 }, (_, index) => w.instances.createInstance({ name: `n${index}`, spec: imageSpec() })),
  )
  for (const { operation } of made) expect(await w.ended(operation)).toMatchObject({ stateName: 'DONE' })
  const uids = await w.database.sql('select count(distinct uid)::int as n from instance.instances')
  expect(JSON.stringify(uids)).toContain('8')
})

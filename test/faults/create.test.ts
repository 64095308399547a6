import { mkdtempSync, rmSync } from 'node:fs'
import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { until } from '@berth/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Failpoints, failpointsIn } from '../support/failpoints.ts'
import { create, ended, remove } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

let folder: string
let registry: TestRegistry
let failpoints: Failpoints
let system: TestSystem
let reference: string
/** How much an audit compares when there is no instance, with the image and without it: what a create leaves would be more. */
let quiet: { withImage: object; withoutImage: object }

beforeAll(async () => {
  folder = mkdtempSync('/var/tmp/berth-failpoints-')
  failpoints = failpointsIn(folder)
  registry = await startRegistry()
  const env = { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host, ...failpoints.env }
  system = await startLightSystem({ portOffset: 3000, env })
  reference = await publish(registry, 'faulty', busyboxImage().image)
  await remove(system.api, (await create(system.api, 'first', reference)).id)
  const withImage = (await system.api.audit.auditHost({})).compared
  await dropImage()
  quiet = { withImage, withoutImage: (await system.api.audit.auditHost({})).compared }
})
afterAll(async () => {
  failpoints?.clear()
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})
afterEach(() => failpoints.clear())

let count = 0

async function begin(): Promise<{ id: string; operation: Operation | undefined }> {
  count += 1
  const boot = { case: 'image' as const, value: { image: reference } }
  const { instance, operation } = await system.api.instances.createInstance({
    name: `faulty-${count}`,
    requestId: crypto.randomUUID(),
    spec: { boot },
  })
  return { id: instance?.id ?? '', operation }
}

async function dropImage(): Promise<void> {
  for (const image of (await system.api.images.listImages({})).images) {
    const { operation } = await system.api.images.deleteImage({ id: image.id })
    await ended(system.api, operation, OperationState.DONE)
  }
}

/** A create that shall pass the image's failpoints has to pull and convert it; the others find it there. */
async function prepare(name: string): Promise<void> {
  if (name.startsWith('image.')) return dropImage()
  if ((await system.api.images.listImages({ filter: 'state=READY' })).images.length > 0) return
  const { operation } = await system.api.images.pullImage({ reference, requestId: crypto.randomUUID() })
  await ended(system.api, operation, OperationState.DONE)
}

async function expectNothingLeft(id: string, name: string): Promise<void> {
  await expect(system.api.instances.getInstance({ id })).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'INSTANCE_NOT_FOUND' })
  if (name.startsWith('image.')) await dropImage()
  const { findings, compared } = await system.api.audit.auditHost({})
  expect.soft({ findings, compared }, name).toEqual({
    findings: [],
    compared: name.startsWith('image.') ? quiet.withoutImage : quiet.withImage,
  })
}

/** Failpoints of the verbs that a create uses; every one of them is armed in turn. */
function onThePathOfACreate(): string[] {
  return failpoints.names().filter((name) => /^(instance\.create|image\.pull|volume\.ensure|network\.port\.ensure)\./.test(name))
}

it('the services register their failpoints by themselves, those of every one that a create uses', () => {
  const services = new Set(onThePathOfACreate().map((name) => name.split('.')[0]))
  expect(services).toEqual(new Set(['image', 'instance', 'network', 'volume']))
  expect(onThePathOfACreate().length).toBeGreaterThanOrEqual(40)
})

describe('at every failpoint of a create', () => {
  it('an error ends the operation FAILED with a reason and leaves nothing', { timeout: 600_000 }, async () => {
    for (const name of onThePathOfACreate()) {
      await prepare(name)
      failpoints.arm(name, 'error')
      const { id, operation } = await begin()
      const last = await ended(system.api, operation)
      expect.soft({ name, hit: failpoints.hit(name), state: last.state }).toEqual({ name, hit: true, state: OperationState.FAILED })
      expect.soft(last.error?.message, name).toBeTruthy()
      expect.soft(last.error?.details.length, name).toBeGreaterThan(0)
      failpoints.clear()
      if (last.state === OperationState.DONE) await remove(system.api, id)
      await expectNothingLeft(id, name)
    }
  })

  it.each(['cancel', 'delete'] as const)('a %s while the create is held there ends clean', { timeout: 600_000 }, async (how) => {
    for (const name of onThePathOfACreate()) {
      await prepare(name)
      failpoints.arm(name, 'stall')
      const { id, operation } = await begin()
      await until(`the create is held at ${name}`, () => failpoints.hit(name))
      const removal = how === 'cancel' ? undefined : (await system.api.instances.deleteInstance({ id })).operation
      if (how === 'cancel') await system.api.operations.cancelOperation({ id: operation?.id })
      const last = await ended(system.api, operation)
      expect.soft({ name, state: last.state }).toEqual({ name, state: OperationState.CANCELLED })
      if (removal) await ended(system.api, removal, OperationState.DONE)
      failpoints.clear()
      await expectNothingLeft(id, name)
    }
  })
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { isBerthError } from '@berth/errors'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Failpoints, failpointsIn } from '../support/failpoints.ts'
import { create, ended, exec, remove } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { family, limitedGroup, limitFiles } from '../support/limits.ts'
import { smallDisks } from '../support/small-disks.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

const MIB = 1 << 20
const services = ['image', 'volume', 'network', 'instance'] as const
const all = ['gateway', ...services, 'device'] as const
const servers = { postgres: 400 * MIB, nats: 64 * MIB, logs: 8 * MIB }
// An image's download leaves 256 MiB free.
const disks = smallDisks({ ...servers, image: 400 * MIB, volume: 64 * MIB, network: 4 * MIB, instance: 4 * MIB })
const everyDisk = [...Object.keys(servers), ...services]
/** Steps of a create that write to a disk, or come after one that does. */
const written = /^(instance\.create|volume\.ensure|network\.port\.ensure|image\.pull(?=\.(download|convert|publish)))\..*\.before$/
const [RESOURCE_EXHAUSTED, UNAVAILABLE] = [8, 14]

let folder: string
let failpoints: Failpoints
let registry: TestRegistry
let system: TestSystem
let reference: string
let bystander: string
let pids: Record<string, number>

beforeAll(async () => {
  folder = mkdtempSync('/var/tmp/berth-disks-')
  failpoints = failpointsIn(folder)
  registry = await startRegistry()
  const env = {
    BERTH_HYPERVISOR: 'recorder',
    BERTH_INSECURE_REGISTRIES: registry.host,
    BERTH_VOLUME_RESERVE: '0',
    ...failpoints.env,
  }
  system = await startTestSystem({ portOffset: 14_000, env, prepare: disks.mount })
  reference = await publish(registry, 'disks', busyboxImage().image)
  bystander = (await create(system.api, 'bystander', await publish(registry, 'bystander', busyboxImage().image))).id
  pids = Object.fromEntries(all.map((name) => [name, system.pid(name)]))
})
afterEach(() => {
  failpoints.clear()
  for (const disk of everyDisk) disks.drain(disk)
})
afterAll(async () => {
  failpoints?.clear()
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

let count = 0
async function begin(): Promise<{ id: string; operation: Operation | undefined }> {
  count += 1
  const { instance, operation } = await system.api.instances.createInstance({
    name: `full-${count}`,
    requestId: crypto.randomUUID(),
    spec: { boot: { case: 'image', value: { image: reference } } },
  })
  return { id: instance?.id ?? '', operation }
}

async function dropImage(): Promise<void> {
  for (const image of (await system.api.images.listImages({})).images) {
    if (!image.spec?.reference.includes('/disks:')) continue
    const { operation } = await system.api.images.deleteImage({ id: image.id })
    await ended(system.api, operation, OperationState.DONE)
  }
}

async function bystanderIsWell(): Promise<void> {
  const { instance } = await system.api.instances.getInstance({ id: bystander })
  expect(instance?.status).toMatchObject({ state: InstanceState.RUNNING, bootCount: 1 })
  expect(await exec(system.api, bystander, ['echo', 'still here'])).toMatchObject({ code: 0, stdout: 'still here\n' })
}

/** A create that lacks something ends well or with a reason that says so, and leaves nothing. */
async function endsWell({ id, operation }: Awaited<ReturnType<typeof begin>>, when: string): Promise<OperationState> {
  const last = await ended(system.api, operation)
  if (last.state === OperationState.DONE) {
    await remove(system.api, id)
    return last.state
  }
  expect.soft({ when, state: last.state }).toEqual({ when, state: OperationState.FAILED })
  expect.soft([RESOURCE_EXHAUSTED, UNAVAILABLE], `${when}: ${last.error?.message}`).toContain(last.error?.code)
  await expect(system.api.instances.getInstance({ id })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  return last.state
}

/** Gives a create the time to fail; what cannot be begun or undone without what lacks waits for it. */
async function whileShort({ operation }: Awaited<ReturnType<typeof begin>>): Promise<void> {
  const { operation: now } = await system.api.operations.waitOperation({ id: operation?.id, timeout: { seconds: 3n } })
  if (now?.endTime) expect([RESOURCE_EXHAUSTED, UNAVAILABLE]).toContain(now.error?.code ?? UNAVAILABLE)
}

async function createsAgain(): Promise<void> {
  const { id, operation } = await begin()
  await ended(system.api, operation, OperationState.DONE)
  await remove(system.api, id)
}

/** A new create works, the host holds nothing partial, the VM that ran all the time noticed nothing, and no service ended. */
async function allIsWell(): Promise<void> {
  await createsAgain()
  expect.soft((await system.api.audit.auditHost({})).findings).toEqual([])
  await bystanderIsWell()
  expect(Object.fromEntries(all.map((name) => [name, system.pid(name)]))).toEqual(pids)
}

describe('a full disk', () => {
  it('at every step of a create ends it with the reason; nothing partial is ready, and room makes it work again', {
    timeout: 600_000,
  }, async () => {
    const steps = failpoints.names().filter((name) => written.test(name))
    const ends: Record<string, OperationState> = {}
    for (const step of steps) {
      if (step.startsWith('image.')) await dropImage()
      failpoints.arm(step, 'stall')
      const begun = await begin()
      await until(`the create is held at ${step}`, () => failpoints.hit(step))
      for (const service of services) disks.fill(service)
      failpoints.clear()
      ends[step] = await endsWell(begun, step)
      for (const service of services) disks.drain(service)
    }
    expect(Object.values(ends).filter((state) => state === OperationState.FAILED).length).toBeGreaterThanOrEqual(8)
    await allIsWell()
  })

  it.each([4096, MIB])('with %i bytes left ends a create well or with the reason', async (free) => {
    await dropImage()
    for (const service of services) disks.fill(service, free)
    await endsWell(await begin(), `${free} bytes free`)
    await bystanderIsWell()
    for (const service of services) disks.drain(service)
    await allIsWell()
  })

  it('below the logs costs lines and nothing else', async () => {
    disks.fill('logs')
    await allIsWell()
    disks.drain('logs')
    await allIsWell()
  })

  it('below NATS slows events down and nothing else', async () => {
    disks.fill('nats')
    await createsAgain()
    disks.drain('nats')
    await allIsWell()
  })

  it('below Postgres refuses what would write, until there is room', { timeout: 120_000 }, async () => {
    disks.fill('postgres')
    const ends: unknown[] = []
    // Pages in memory and in the log that is there already take the first of them.
    await until(
      'a write is refused',
      async () => {
        const made = system.api.volumes.createVolume({ name: `pad-${(count += 1)}`, sizeBytes: 1n << 20n })
        ends.push(
          await made.then(
            () => undefined,
            (error: unknown) => error,
          ),
        )
        return ends.at(-1) !== undefined
      },
      60_000,
    )
    for (const end of ends.filter((it) => it !== undefined)) {
      expect(isBerthError(end) && end.code).toMatch(/^(RESOURCE_EXHAUSTED|UNAVAILABLE|DEADLINE_EXCEEDED)$/)
    }
    disks.drain('postgres')
    await until(
      'a create works again',
      () =>
        createsAgain().then(
          () => true,
          () => false,
        ),
      60_000,
    )
    await allIsWell()
  })
})

describe('a full machine', () => {
  it.each([...services])('without descriptors left to the %s service ends a create well or with the reason', async (service) => {
    await dropImage()
    for (const more of [0, 3]) {
      const take = limitFiles(system.pid(service), more)
      let begun: Awaited<ReturnType<typeof begin>> | undefined
      try {
        begun = await begin().catch((error: unknown) => {
          expect(isBerthError(error) && error.code).toMatch(/^(RESOURCE_EXHAUSTED|UNAVAILABLE)$/)
          return undefined
        })
        if (begun) await whileShort(begun)
      } finally {
        take()
      }
      if (begun) await endsWell(begun, `${service} has ${more} descriptors left`)
    }
    await allIsWell()
  })

  it('without descriptors left to the gateway refuses calls and serves again', async () => {
    const take = limitFiles(system.pid('gateway'), 0)
    const { code } = await system.cli('list')
    take()
    expect(code).not.toBe(0)
    expect((await system.cli('list')).code).toBe(0)
    await allIsWell()
  })

  it.each([...services])('without processes left to the %s service ends a create well or with the reason', async (service) => {
    await dropImage()
    let begun: Awaited<ReturnType<typeof begin>>
    {
      using _group = limitedGroup('pids', family(system.pid(service)), (group) => {
        writeFileSync(path.join(group, 'pids.max'), readFileSync(path.join(group, 'pids.current'), 'utf8').trim())
      })
      begun = await begin()
      await whileShort(begun)
      await bystanderIsWell()
    }
    await endsWell(begun, `${service} may not fork`)
    await allIsWell()
  })

  it('without memory left to the commands of the image service fails a pull with UNAVAILABLE', async () => {
    await dropImage()
    const [, ...helpers] = family(system.pid('image'))
    {
      using _group = limitedGroup('memory', helpers, (group) => writeFileSync(path.join(group, 'memory.limit_in_bytes'), String(2 * MIB)))
      expect(await endsWell(await begin(), 'no memory')).toBe(OperationState.FAILED)
    }
    await allIsWell()
  })
})

import { badRegistry, type Handler, type TestServer } from '@berth/testing/bad-registry'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ended } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

let registry: TestRegistry
/** A registry that does to blobs what `misbehave` says. */
let bad: TestServer
let misbehave: Handler
let system: TestSystem
let image: string

beforeAll(async () => {
  registry = await startRegistry()
  bad = await badRegistry(busyboxImage().image, (request, response, next) => {
    if (request.url?.includes('/blobs/')) misbehave(request, response, next)
    else next()
  })
  const hosts = [registry.host, bad.host, '127.0.0.1:9'].join(',')
  system = await startLightSystem({ portOffset: 6000, env: { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: hosts } })
  image = await publish(registry, 'good', busyboxImage().image)
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await bad?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

const boot = (reference = image) => ({ boot: { case: 'image' as const, value: { image: reference } } })

describe('a create that cannot be right is refused at once, with the field', () => {
  it.each([
    ['memory 0', { ...boot(''), memoryBytes: 0n }, 'spec.memory_bytes'],
    ['memory that is no multiple of 1 MiB', { memoryBytes: (512n << 20n) + 1n }, 'spec.memory_bytes'],
    ['10,000 vCPUs', { vcpus: 10_000 }, 'spec.vcpus'],
    ['more vCPUs than the host can give', { vcpus: 1000 }, 'spec.vcpus'],
    ['a scratch size that is no multiple of 4096', { scratchBytes: (1n << 30n) + 1n }, 'spec.scratch_bytes'],
    ['a mount path that is not absolute', { disks: [{ volume: 'data', mountPath: 'mnt' }] }, 'spec.disks[0].mount_path'],
  ])('%s', async (_what, spec, field) => {
    const error = await system.api.instances
      .createInstance({ name: 'bad', spec: { ...boot(), ...spec } })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect((error as { reason: string }).reason).toMatch(/^[A-Z_]+$/)
    expect((error as { violations: { field: string }[] }).violations.map((it) => it.field)).toContain(field)
  })

  it.each(['Upper', '-a', 'a-', 'a..b', 'a/b', 'ä', 'a\nb', 'a'.repeat(64), '.wh.x', '9lives'])('the name %j', async (name) => {
    await expect(system.api.instances.createInstance({ name, spec: boot() })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [expect.objectContaining({ field: 'name' })],
    })
  })

  it('a hypervisor that the host does not have', async () => {
    await expect(system.api.instances.createInstance({ name: 'bad', spec: { ...boot(), hypervisor: 'bochs' } })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'UNSUPPORTED_BY_HYPERVISOR',
      violations: [expect.objectContaining({ field: 'spec.hypervisor' })],
    })
  })

  it('no boot at all', async () => {
    await expect(system.api.instances.createInstance({ name: 'bad', spec: {} })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('a host nobody knows', async () => {
    await expect(
      system.api.instances.createInstance({ name: 'bad', spec: { ...boot(), host: 'hst_00000000000000000000000000' } }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'HOST_NOT_FOUND' })
  })

  it('and nothing of all that was made', async () => {
    expect((await system.api.instances.listInstances({})).instances).toEqual([])
    expect((await system.api.operations.listOperations({ filter: 'kind=instance.create' })).operations).toEqual([])
  })
})

describe('an unknown id answers NOT_FOUND with the reason of its kind', () => {
  const missing = (prefix: string) => ({ id: `${prefix}_00000000000000000000000000` })
  it.each([
    ['INSTANCE_NOT_FOUND', () => system.api.instances.getInstance(missing('ins'))],
    ['INSTANCE_NOT_FOUND', () => system.api.instances.deleteInstance(missing('ins'))],
    ['INSTANCE_NOT_FOUND', () => system.api.instances.stopInstance({ id: 'nobody' })],
    ['IMAGE_NOT_FOUND', () => system.api.images.getImage(missing('img'))],
    ['VOLUME_NOT_FOUND', () => system.api.volumes.getVolume(missing('vol'))],
    ['NETWORK_NOT_FOUND', () => system.api.networks.getNetwork(missing('net'))],
    ['DEVICE_NOT_FOUND', () => system.api.devices.getDevice(missing('dev'))],
    ['OPERATION_NOT_FOUND', () => system.api.operations.getOperation(missing('insop'))],
  ])('%s', async (reason, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'NOT_FOUND', reason })
  })
})

describe('an image that cannot be had fails the create with the reason, and leaves nothing', () => {
  it.each([
    ['a repository the registry does not have', () => `${registry.host}/no/such:latest`, 5, 'IMAGE_NOT_FOUND'],
    ['a registry that is down', () => '127.0.0.1:9/some/image:latest', 14, 'REGISTRY_UNAVAILABLE'],
    ['a blob of other bytes than its digest says', () => misbehaving(otherBytes), 9, 'DIGEST_MISMATCH'],
    ['a blob that ends too early', () => misbehaving(endsEarly), 14, 'BLOB_TRUNCATED'],
    ['a blob whose connection is cut', () => misbehaving(cut), 14, 'BLOB_TRUNCATED'],
  ])('%s', async (_what, reference, code, reason) => {
    const { instance, operation } = await system.api.instances.createInstance({ name: 'no-image', spec: boot(reference()) })
    const last = await ended(system.api, operation, OperationState.FAILED)
    expect(last.error?.code).toBe(code)
    expect(JSON.stringify(last.error?.details.map((it) => Buffer.from(it.value).toString()))).toContain(reason)
    await expect(system.api.instances.getInstance({ id: instance?.id })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await until('the image of the failed pull is gone', async () => (await system.api.images.listImages({})).images.length === 0)
    expect((await system.api.audit.auditHost({})).findings).toEqual([])
  })

  const misbehaving = (how: Handler) => {
    misbehave = how
    return `${bad.host}/bad/image:1`
  }
  const otherBytes: Handler = (_request, response, next) => {
    const end = response.end.bind(response)
    response.end = ((bytes: Buffer) => end(Buffer.alloc(bytes.length, 'x'))) as typeof response.end
    next()
  }
  const endsEarly: Handler = (_request, response) => void response.writeHead(200).end('short')
  const cut: Handler = (_request, response) => void response.writeHead(200, { 'content-length': 1000 }).write('x', () => response.destroy())

  it('a reference that is none is refused at once', async () => {
    await expect(system.api.images.pullImage({ reference: 'UPPER/Case:bad tag' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [expect.objectContaining({ field: 'reference' })],
    })
  })
})

it('a message over 4 MiB is RESOURCE_EXHAUSTED', async () => {
  const annotations = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`a${index}`, 'x'.repeat(100_000)]))
  await expect(system.api.instances.createInstance({ name: 'big', spec: boot(), annotations })).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
  })
})

it('a page token that was tampered with, a filter that is none and a page size below zero are INVALID_ARGUMENT', async () => {
  for (const request of [{ pageToken: 'tampered' }, { filter: 'state==RUNNING or' }, { pageSize: -1 }]) {
    await expect(system.api.instances.listInstances(request)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
})

it('an update with an unknown path, an empty mask or a stale etag changes nothing', async () => {
  const { instance, operation } = await system.api.instances.createInstance({ name: 'fixed', spec: boot() })
  await ended(system.api, operation, OperationState.DONE)
  const id = instance?.id ?? ''
  await expect(system.api.instances.updateInstance({ id, updateMask: { paths: ['spec.vcpus'] } })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  await expect(system.api.instances.updateInstance({ id, updateMask: { paths: [] } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(
    system.api.instances.updateInstance({ id, etag: '999', labels: { a: 'b' }, updateMask: { paths: ['labels'] } }),
  ).rejects.toMatchObject({ code: 'ABORTED', reason: 'STALE_ETAG' })
  expect((await system.api.instances.getInstance({ id })).instance?.labels).toEqual({})
  const gone = await system.api.instances.deleteInstance({ id })
  await ended(system.api, gone.operation, OperationState.DONE)
})

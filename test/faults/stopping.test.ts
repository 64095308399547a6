import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type BerthError, isBerthError } from '@berth/errors'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '@berth/proto/grpc/health/v1/health_pb.ts'
import { clientOf, connectTo } from '@berth/rpc'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { type Failpoints, failpointsIn } from '../support/failpoints.ts'
import { create, ended } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

const OFFSET = 14_200
const ports = { gateway: 7000, image: 7011, volume: 7012, network: 7013, device: 7014, instance: 7015 }
type Service = keyof typeof ports
/** What the supervisor gives a service before it kills it. */
const GRACE_MS = 30_000
/** Between the end of a call and the next one; longer after a refusal, or this process does nothing else while the service is away. */
const PAUSE_MS = { answered: 50, refused: 200 }

let folder: string
let failpoints: Failpoints
let registry: TestRegistry
let system: TestSystem
let guest: string
/** Operations that do not end while the tests run. */
let held: { instance: string; image: string; volume: string }
/** What can be waited for at a service. */
const waited: Partial<Record<Service, () => string>> = {
  gateway: () => held.instance,
  instance: () => held.instance,
  image: () => held.image,
  volume: () => held.volume,
}

beforeAll(async () => {
  folder = mkdtempSync('/var/tmp/berth-stopping-')
  failpoints = failpointsIn(folder)
  registry = await startRegistry()
  const env = { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host, ...failpoints.env }
  system = await startLightSystem({ portOffset: OFFSET, env })
  const image = await publish(registry, 'stopping', busyboxImage().image)
  guest = (await create(system.api, 'guest', image)).id
  held = await holdOperations(image)
})
afterAll(async () => {
  failpoints?.clear()
  await until('every service answers', () => everyServiceAnswers())
  for (const id of Object.values(held ?? {})) await ended(system.api, (await system.api.operations.getOperation({ id })).operation)
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

async function holdOperations(image: string): Promise<typeof held> {
  const points = ['instance.create.record.before', 'image.pull.resolve.before', 'volume.create.make.before']
  failpoints.armLines(...points.map((point) => `${point}=stall`))
  const boot = { case: 'image' as const, value: { image } }
  const { operation: made } = await system.api.instances.createInstance({ name: 'held', requestId: crypto.randomUUID(), spec: { boot } })
  const other = await publish(registry, 'other', busyboxImage().image)
  const { operation: pulled } = await system.api.images.pullImage({ reference: other, requestId: crypto.randomUUID() })
  const { operation: volume } = await system.api.volumes.createVolume({
    name: 'held',
    sizeBytes: 1n << 20n,
    requestId: crypto.randomUUID(),
  })
  await until('all three are held', () => points.every((point) => failpoints.hit(point)))
  return { instance: made?.id ?? '', image: pulled?.id ?? '', volume: volume?.id ?? '' }
}

/** How often every call ended how. */
interface Load {
  readonly codes: Record<string, number>
}

/** The code; of what must not be, all that is known. */
function told({ code, message, metadata }: BerthError): string {
  if (code !== 'INTERNAL') return code
  const folder = path.join(system.dataDir, 'logs')
  const lines = readdirSync(folder).flatMap((name) => readFileSync(path.join(folder, name), 'utf8').split('\n'))
  const logged = lines.filter((line) => metadata['request_id'] && line.includes(metadata['request_id']))
  return [`${code} ${message}`, ...logged].join('\n')
}

/** A hundred calls of a service under way all the time, twenty watches, five commands that read their input: begun anew as they end. */
function load(service: Service, signal: AbortSignal): { load: Load; done: Promise<unknown> } {
  const { api } = system
  const result: Load = { codes: {} }
  const note = (error: unknown): void => {
    if (error !== undefined && signal.aborted) return
    const code = error === undefined ? 'OK' : isBerthError(error) ? told(error) : `not ours: ${String(error as Error)}`
    result.codes[code] = (result.codes[code] ?? 0) + 1
  }
  const again = async (call: () => Promise<unknown>): Promise<void> => {
    while (!signal.aborted) {
      const thrown = await call().then(
        () => undefined,
        (error: unknown) => error,
      )
      note(thrown)
      await delay(thrown === undefined ? PAUSE_MS.answered : PAUSE_MS.refused, undefined, { signal }).catch(() => undefined)
    }
  }
  const drained = async (stream: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of stream) if (signal.aborted) return
  }
  const waits = waited[service]
  const calls = {
    wait: () => api.operations.waitOperation({ id: waits?.() ?? '', timeout: { seconds: 1n } }, { signal }),
    network: () => api.networks.listPorts({}, { signal }),
    device: () => api.devices.listDevices({}, { signal }),
  }
  const call = service === 'network' || service === 'device' ? calls[service] : calls.wait
  const watches = [
    () => drained(api.instances.watchInstances({}, { signal })),
    () => drained(api.images.watchImages({}, { signal })),
    () => drained(api.volumes.watchVolumes({}, { signal })),
    () => drained(api.networks.watchNetworks({}, { signal })),
    () => drained(api.devices.watchDevices({}, { signal })),
  ]
  const all = [
    ...Array.from({ length: 100 }, () => again(call)),
    ...Array.from({ length: 20 }, (_, index) => again(watches[index % watches.length] as () => Promise<unknown>)),
    ...Array.from({ length: 5 }, () => again(() => drained(api.instances.execInstance(endlessInput(guest, signal), { signal })))),
  ]
  return { load: result, done: Promise.all(all) }
}

async function* endlessInput(id: string, signal: AbortSignal) {
  yield { message: { case: 'start' as const, value: { id, command: ['cat'], stdin: true } } }
  while (!signal.aborted) {
    yield { message: { case: 'stdin' as const, value: Buffer.from('x') } }
    await delay(20, undefined, { signal }).catch(() => undefined)
  }
}

interface Readiness {
  readonly grpc: Serving[]
  fellAt: number
}

/** What the two ways to ask for readiness say, from now until the process ends. */
function readiness(service: Service, signal: AbortSignal): { said: Readiness; done: Promise<void> } {
  const said: Readiness = { grpc: [], fellAt: 0 }
  return { said, done: ask(service, said, signal) }
}

async function ask(service: Service, said: Readiness, signal: AbortSignal): Promise<void> {
  using transport = connectTo({ target: `127.0.0.1:${ports[service] + OFFSET}`, identity: '' })
  const watching = (async () => {
    for await (const { status } of clientOf(Health, transport).watch({}, { signal })) said.grpc.push(status)
  })().catch(() => undefined)
  while (!signal.aborted) {
    const status = await fetch(`http://127.0.0.1:${ports[service] + OFFSET + 100}/readyz`).then(
      (answer) => answer.status,
      () => 0,
    )
    if (status === 503) said.fellAt ||= performance.now()
    await delay(2)
  }
  await watching
}

/** How the supervisor saw a process end. */
function ends(service: Service): { code: number | null; signal: string | null }[] {
  const log = path.join(system.dataDir, 'logs/supervisor.log')
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('process ended'))
    .map((line) => JSON.parse(line) as { process: string; code: number | null; signal: string | null })
    .filter(({ process }) => process === service)
    .map(({ code, signal }) => ({ code, signal }))
}

it.each(
  Object.keys(ports) as Service[],
)('%s, told to end with a hundred calls, twenty watches and five execs under way, says first that it is not ready, ends none of them badly, and exits 0 in time', async (service) => {
  await until('every service answers', () => everyServiceAnswers())
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  // The two without calls that last may be gone before anybody asks whether they are ready.
  const lasting = waited[service]?.()
  const long = new AbortController()
  if (lasting !== undefined)
    void system.api.operations.waitOperation({ id: lasting, timeout: { seconds: 25n } }, { signal: long.signal }).catch(() => undefined)
  const { load: seen, done } = load(service, stop.signal)
  await until('calls are under way', () => (seen.codes['OK'] ?? 0) >= 100)
  expect(Object.keys(seen.codes)).toEqual(['OK'])
  const gone = new AbortController()
  const { said, done: told } = readiness(service, gone.signal)
  const pid = system.pid(service)
  await until('the health service answers', () => said.grpc.length > 0)
  const killedAt = performance.now()
  process.kill(pid, 'SIGTERM')
  if (lasting !== undefined) await until('the service says that it is not ready', () => said.fellAt > 0)
  long.abort()
  await until(`${service} has ended`, () => !isThere(pid), GRACE_MS)
  const tookMs = performance.now() - killedAt
  gone.abort()
  await told
  await until(
    `${service} is back`,
    async () => (await fetch(`http://127.0.0.1:${ports[service] + OFFSET + 100}/readyz`).catch(() => undefined))?.ok === true,
  )
  stop.abort()
  await done
  expect(said.grpc).toEqual([Serving.SERVING, Serving.NOT_SERVING])
  if (lasting !== undefined) expect(said.fellAt).toBeGreaterThan(killedAt)
  expect(Object.keys(seen.codes).filter((code) => !['OK', 'UNAVAILABLE', 'CANCELLED'].includes(code))).toEqual([])
  expect(tookMs).toBeLessThan(GRACE_MS)
  await until('the supervisor tells', () => ends(service).length > 0)
  expect(ends(service)).toEqual([{ code: 0, signal: null }])
})

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Through the gateway, whose connection to a service that was away comes back by and by. */
async function everyServiceAnswers(): Promise<boolean> {
  const { api } = system
  const calls = [api.instances.listInstances({}), api.images.listImages({}), api.volumes.listVolumes({})]
  return Promise.all([...calls, api.networks.listPorts({}), api.devices.listDevices({})]).then(
    () => true,
    () => false,
  )
}

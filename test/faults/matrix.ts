import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from '@berth/cli/api'
import type { InstanceSpecSchema } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { startRegistry } from '@berth/testing/registry'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import { type Failpoints, failpointsIn } from '../support/failpoints.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

/** Every operation ends within this, whatever is cut under it. */
const BOUND_MS = 60_000
const PAUSE_MS = 50

/** A system on paper with everything else real, whose services can be cut. */
export interface Matrix extends AsyncDisposable {
  readonly system: TestSystem
  readonly api: Api
  readonly failpoints: Failpoints
  /** The image of its instances. */
  readonly reference: string
}

export async function startMatrix(portOffset: number, more: NodeJS.ProcessEnv = {}): Promise<Matrix> {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync('/var/tmp/berth-failpoints-')
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const failpoints = failpointsIn(folder)
  const registry = stack.use(await startRegistry())
  const env = {
    BERTH_TEST_LONGEST_RESTART: '200',
    BERTH_HYPERVISOR: 'recorder',
    BERTH_BOOT_SLOTS: '64',
    BERTH_INSECURE_REGISTRIES: registry.host,
    ...failpoints.env,
    ...more,
  }
  const system = stack.use(await startLightSystem({ portOffset, env }))
  stack.defer(() => failpoints.clear())
  const reference = await publish(registry, 'cut', busyboxImage().image)
  const all = stack.move()
  return { system, api: system.api, failpoints, reference, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** Asks again while a service is away, as a client does; anything else but UNAVAILABLE is the answer. */
export async function insist<T>(call: () => Promise<T>): Promise<T> {
  const end = performance.now() + BOUND_MS
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if ((error as { code?: string }).code !== 'UNAVAILABLE' || performance.now() > end) throw error
      await delay(PAUSE_MS)
    }
  }
}

/** The end of an operation, over whatever deaths of the service that has it. */
export async function endOf(api: Api, operation: Operation | undefined, wanted?: OperationState): Promise<Operation> {
  if (!operation) throw new Error('no operation')
  const { id } = operation
  const began = performance.now()
  const { operation: last } = await insist(() => api.operations.waitOperation({ id, timeout: { seconds: BigInt(BOUND_MS / 1000) } }))
  const text = `${operation.kind} of ${operation.resourceName}: ${last?.error?.message ?? last?.progress?.stage}`
  expect({ text, ended: last?.endTime !== undefined, inTime: performance.now() - began < BOUND_MS }).toEqual({
    text,
    ended: true,
    inTime: true,
  })
  if (wanted !== undefined) expect({ text, state: last?.state }).toEqual({ text, state: wanted })
  return last as Operation
}

type Spec = Omit<MessageInitShape<typeof InstanceSpecSchema>, 'boot' | '$typeName'>

/** Asks for an instance; the same request id may ask again. */
export async function begin({ api, reference }: Matrix, name: string, spec: Spec = {}, requestId: string = crypto.randomUUID()) {
  const boot = { case: 'image' as const, value: { image: reference } }
  const { instance, operation } = await insist(() => api.instances.createInstance({ name, requestId, spec: { ...spec, boot } }))
  if (!operation) throw new Error('no operation')
  return { id: instance?.id ?? '', operation, requestId }
}

export async function made(matrix: Matrix, name: string, spec: Spec = {}): Promise<string> {
  const { id, operation } = await begin(matrix, name, spec)
  await endOf(matrix.api, operation, OperationState.DONE)
  return id
}

export async function gone(matrix: Matrix, id: string, requestId: string = crypto.randomUUID()): Promise<void> {
  const { operation } = await insist(() => matrix.api.instances.deleteInstance({ id, requestId }))
  await endOf(matrix.api, operation, OperationState.DONE)
  await expect(insist(() => matrix.api.instances.getInstance({ id }))).rejects.toMatchObject({ reason: 'INSTANCE_NOT_FOUND' })
}

/** Removes the image, so that the next create pulls it. */
export async function dropImage({ api }: Matrix): Promise<void> {
  for (const { id } of (await insist(() => api.images.listImages({}))).images) {
    const requestId = crypto.randomUUID()
    const { operation } = await insist(() => api.images.deleteImage({ id, requestId }))
    await endOf(api, operation, OperationState.DONE)
  }
}

export async function pull({ api, reference }: Matrix): Promise<void> {
  const { operation } = await insist(() => api.images.pullImage({ reference, requestId: crypto.randomUUID() }))
  await endOf(api, operation, OperationState.DONE)
}

/** What an audit compares, and that it finds nothing. */
export async function cleanAudit({ api }: Matrix, after: string): Promise<Readonly<Record<string, bigint>>> {
  const { findings, compared } = await insist(() => api.audit.auditHost({}))
  expect({ after, findings }).toEqual({ after, findings: [] })
  return compared
}

/** How often a VMM was started for an instance, from the recorder's journal; fails when there ever were two at once. */
export function starts({ system }: Matrix, id: string): number {
  const lines = readFileSync(path.join(system.dataDir, 'instance/recorder.jsonl'), 'utf8').split('\n').filter(Boolean)
  const kinds = lines
    .map((line) => JSON.parse(line) as { instanceId: string; event: { kind: string } })
    .filter(({ instanceId, event }) => instanceId === id && (event.kind === 'started' || event.kind === 'exited'))
    .map(({ event }) => event.kind)
  expect({ id, kinds }).toEqual({ id, kinds: kinds.map((_, index) => (index % 2 === 0 ? 'started' : 'exited')) })
  return kinds.filter((kind) => kind === 'started').length
}

/** Fails when one of the points has not acted. */
export function expectHits({ failpoints }: Matrix, names: readonly string[]): void {
  expect(names.filter((name) => !failpoints.hit(name))).toEqual([])
}

import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ended, exec } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

const MANY = 20

let registry: TestRegistry
let system: TestSystem
let reference: string

beforeAll(async () => {
  registry = await startRegistry()
  system = await startTestSystem({ bundled: true, portOffset: 400, env: { BERTH_INSECURE_REGISTRIES: registry.host } })
  reference = await publish(registry, 'many', busyboxImage().image)
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

it('twenty creates at once all reach Ready; those that wait say so, in places that are distinct and only fall', {
  timeout: 400_000,
}, async () => {
  const { api } = system
  const spec = { boot: { case: 'image' as const, value: { image: reference } }, memoryBytes: 128n << 20n }
  const created = await Promise.all(
    Array.from({ length: MANY }, (_, index) =>
      api.instances.createInstance({ name: `many-${index}`, requestId: crypto.randomUUID(), spec }),
    ),
  )
  const ids = created.map(({ instance }) => instance?.id ?? '')
  const operations = new Set(created.map(({ operation }) => operation?.id ?? ''))

  const places = new Map<string, number[]>()
  let waitedTogether = 0
  for (let open = MANY; open > 0; ) {
    const { operations: all } = await api.operations.listOperations({ filter: 'kind=instance.create', pageSize: 100 })
    const mine = all.filter(({ id }) => operations.has(id))
    open = mine.filter((operation) => !operation.endTime).length
    const queued = mine.filter((operation) => operation.state === OperationState.PENDING && operation.progress?.stage === 'QUEUED')
    const now = queued.map((operation) => Number(operation.progress?.done))
    expect(new Set(now).size).toBe(now.length)
    waitedTogether = Math.max(waitedTogether, now.length)
    for (const operation of queued) places.set(operation.id, [...(places.get(operation.id) ?? []), Number(operation.progress?.done)])
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  expect(waitedTogether).toBeGreaterThan(10)
  for (const seen of places.values()) expect(seen).toEqual([...seen].sort((a, b) => b - a))

  const { instances } = await api.instances.listInstances({ pageSize: 100 })
  expect(instances.filter(({ status }) => status?.conditions.some((it) => it.type === 'Ready' && it.status === 1))).toHaveLength(MANY)
  expect((await exec(api, ids[7] ?? '', ['echo', 'here'])).stdout).toBe('here\n')

  const deleted = await Promise.all(ids.map((id) => api.instances.deleteInstance({ id })))
  await Promise.all(deleted.map(({ operation }) => ended(api, operation, OperationState.DONE)))
  expect((await api.instances.listInstances({})).instances).toEqual([])
  expect((await api.audit.auditHost({})).findings).toEqual([])
})

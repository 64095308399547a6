import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ended, exec } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

let registry: TestRegistry
let a: TestSystem
let b: TestSystem
let image: string

/** Two sets of services in one network namespace: data folders, host ids, bridges and ports of their own, one Postgres and one NATS. */
beforeAll(async () => {
  registry = await startRegistry()
  const env = { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host }
  a = await startLightSystem({ portOffset: 8000, env })
  b = await startLightSystem({ portOffset: 9000, env: { ...env, DATABASE_URL: a.databaseUrl, NATS_URL: a.natsUrl, ...a.roleUrls() } })
  image = await publish(registry, 'two', busyboxImage().image)
})
afterAll(async () => {
  await b?.[Symbol.asyncDispose]()
  await a?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

it('an instance made through host A on host B answers exec, logs and list through A; neither audit touches or reports what is the other host’s', async () => {
  const { hosts } = await until('both hosts are known', async () => {
    const answer = await a.api.hosts.listHosts({})
    return answer.hosts.filter((host) => host.alive).length === 2 && answer
  })
  const other = hosts.find((host) => !host.local)
  const here = hosts.find((host) => host.local)
  expect(other?.id).not.toBe(here?.id)

  const spec = { boot: { case: 'image' as const, value: { image } }, host: other?.id ?? '' }
  const { instance, operation } = await a.api.instances.createInstance({ name: 'far', requestId: crypto.randomUUID(), spec })
  await ended(a.api, operation, OperationState.DONE)
  const local = await a.api.instances.createInstance({ name: 'near', requestId: crypto.randomUUID(), spec: { ...spec, host: '' } })
  await ended(a.api, local.operation, OperationState.DONE)

  const listed = (await a.api.instances.listInstances({})).instances
  expect(listed.map(({ name, host }) => ({ name, host }))).toEqual([
    { name: 'far', host: other?.id },
    { name: 'near', host: here?.id },
  ])
  const id = instance?.id ?? ''
  expect(await exec(a.api, id, ['echo', 'from afar'])).toEqual(await exec(b.api, id, ['echo', 'from afar']))
  const logs = async (system: TestSystem) => {
    let bytes = ''
    for await (const { data } of system.api.instances.streamInstanceLogs({ id })) bytes += Buffer.from(data).toString()
    return bytes
  }
  expect(await logs(a)).toBe(await logs(b))

  for (const system of [a, b]) {
    const { findings, compared } = await system.api.audit.auditHost({})
    expect(findings).toEqual([])
    expect(Number(compared['tap'] ?? 0)).toBe(1)
  }

  for (const name of ['far', 'near']) {
    const { operation: gone } = await a.api.instances.deleteInstance({ id: name })
    await ended(a.api, gone, OperationState.DONE)
  }
  for (const system of [a, b]) expect((await system.api.audit.auditHost({})).findings).toEqual([])
})

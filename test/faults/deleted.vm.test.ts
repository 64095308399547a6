import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '@berth/db'
import { InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { create, ended, exec } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'
import { commandOf, shimOf } from '../support/vmm.ts'

/** What somebody deleted under a VM is told within this. */
const NOTICED_MS = 10_000
/** A service gives a shim 5 s to answer, and then asks again. */
const SHIM_ASKED_MS = 8_000

let registry: TestRegistry
let system: TestSystem
let reference: string
let id: string

beforeAll(async () => {
  registry = await startRegistry()
  system = await startLightSystem({ portOffset: 14_600, env: { BERTH_INSECURE_REGISTRIES: registry.host } })
  reference = await publish(registry, 'deleted', busyboxImage().image)
  id = (await create(system.api, 'guest', reference)).id
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

async function status() {
  const { instance } = await system.api.instances.getInstance({ id })
  return instance?.status
}

const degraded = async () => (await status())?.conditions.find(({ type }) => type === 'Degraded')

async function port(): Promise<{ tap: string; bridge: string; gateway: string }> {
  const sql = createClient({ url: system.databaseUrl, pool: 1 })
  const [row] =
    await sql`select tap, bridge, ipv4_gateway from network.ports join network.network_hosts using (network_id) where owner_id = ${id}`
  await sql.end()
  return { tap: String(row?.['tap']), bridge: String(row?.['bridge']), gateway: String(row?.['ipv4_gateway']) }
}

async function reachesGateway(): Promise<boolean> {
  const { gateway } = await port()
  return (await exec(system.api, id, ['ping', '-c', '1', '-W', '1', gateway])).code === 0
}

/** Harm that the VM survives: the same VMM, and a guest that answers. */
async function survived<T>(harm: () => Promise<T>): Promise<T> {
  const before = await status()
  const result = await harm()
  expect(await status()).toMatchObject({ vmmPid: before?.vmmPid, bootId: before?.bootId })
  expect((await exec(system.api, id, ['true'])).code).toBe(0)
  return result
}

it('a guest reaches its gateway again within ten seconds of its bridge’s deletion and of a flush of all rules', async () => {
  expect(await reachesGateway()).toBe(true)
  for (const harm of [
    ['ip', 'link', 'del', (await port()).bridge],
    ['nft', 'flush', 'ruleset'],
  ]) {
    await survived(async () => {
      execFileSync(harm[0] as string, harm.slice(1))
      await until(`the guest reaches its gateway after ${harm.join(' ')}`, reachesGateway, NOTICED_MS + 5_000)
      await until('the host is as it should be', async () => (await system.api.audit.auditHost({})).findings.length === 0, NOTICED_MS)
    })
  }
})

it('a tap that is deleted is told, and the next start has one', async () => {
  await survived(async () => {
    execFileSync('ip', ['link', 'del', (await port()).tap])
    await until('the loss is told', async () => (await degraded())?.reason === 'TAP_LOST', NOTICED_MS)
    expect((await system.cli('info', id)).stdout).toMatch(/Degraded\s+TRUE\s+TAP_LOST/)
  })
  const { operation } = await system.api.instances.restartInstance({ id })
  await ended(system.api, operation, OperationState.DONE)
  await until('nothing is lost any more', async () => (await degraded()) === undefined, NOTICED_MS)
  await until('the guest reaches its gateway', reachesGateway)
})

it('a folder that is deleted is told, the VM goes on, and its next start makes a new one', async () => {
  const folder = path.join(system.dataDir, 'instance', id)
  await survived(async () => {
    rmSync(folder, { recursive: true })
    await until('the loss is told', async () => (await degraded())?.reason === 'FOLDER_LOST', NOTICED_MS)
  })
  const before = (await status())?.bootId
  const { operation } = await system.api.instances.restartInstance({ id })
  await ended(system.api, operation, OperationState.DONE)
  await until(
    'it runs again and has lost nothing',
    async () => (await degraded()) === undefined && (await status())?.bootId !== before,
    NOTICED_MS,
  )
  expect(readFileSync(path.join(folder, 'launch.json'), 'utf8')).toContain(id)
})

it('sockets that are deleted are told; the VM goes on, and its guest answers until the service begins anew; then it can still be ended in time', async () => {
  const { runDir } = JSON.parse(readFileSync(path.join(system.dataDir, 'instance', id, 'launch.json'), 'utf8')) as { runDir: string }
  await survived(async () => {
    rmSync(runDir, { recursive: true })
    await until('the loss is told', async () => (await degraded())?.reason === 'SOCKETS_LOST', NOTICED_MS)
  })
  const before = await status()
  process.kill(system.pid('instance'), 'SIGKILL')
  const after = await until('the service is back', () => status().catch(() => undefined), NOTICED_MS)
  expect(after).toMatchObject({ vmmPid: before?.vmmPid, bootId: before?.bootId })
  const { operation: stopping } = await system.api.instances.stopInstance({ id, gracePeriod: { seconds: 2n } })
  await ended(system.api, stopping, OperationState.DONE)
  expect((await status())?.lastExit?.reason).toBe('STOPPED_BY_USER')
  const { operation: starting } = await system.api.instances.startInstance({ id })
  await ended(system.api, starting, OperationState.DONE)
  await until('nothing is lost any more', async () => (await degraded()) === undefined, NOTICED_MS)
  expect((await exec(system.api, id, ['true'])).code).toBe(0)
})

it('a shim that a signal holds is waited for: its guest answers, and a service that starts meanwhile calls its VM neither dead nor another', async () => {
  const shim = shimOf(path.join(system.dataDir, 'instance', id)) as number
  await survived(async () => {
    const { vmmPid, bootId, startTime } = (await status()) ?? {}
    const { tap } = await port()
    process.kill(shim, 'SIGSTOP')
    try {
      expect((await exec(system.api, id, ['true'])).code).toBe(0)
      process.kill(system.pid('instance'), 'SIGKILL')
      await until('the service is back', () => status().catch(() => undefined), NOTICED_MS)
      await delay(SHIM_ASKED_MS)
      expect(await status()).toMatchObject({ state: InstanceState.RUNNING, vmmPid, bootId, startTime })
      expect(execFileSync('ip', ['-o', 'link', 'show', 'up', 'dev', tap], { encoding: 'utf8' })).toContain(tap)
    } finally {
      process.kill(shim, 'SIGCONT')
    }
    const answers = () =>
      exec(system.api, id, ['true'])
        .then(({ code }) => code === 0)
        .catch(() => false)
    await until('the guest answers through the service that has started', answers, NOTICED_MS)
  })
  expect(shimOf(path.join(system.dataDir, 'instance', id))).toBe(shim)
})

it('a shim that a signal holds keeps nobody from stopping, restarting or deleting its VM: another takes its place', async () => {
  const { id: held } = await create(system.api, 'held', reference)
  const folder = path.join(system.dataDir, 'instance', held)
  const endedBy = async (ask: () => Promise<{ operation?: Operation | undefined }>) => {
    const shim = shimOf(folder) as number
    process.kill(shim, 'SIGSTOP')
    await ended(system.api, (await ask()).operation, OperationState.DONE)
    // It may not be reaped yet.
    expect(commandOf(shim)[0]).not.toBe('berth-shim')
  }
  await endedBy(() => system.api.instances.stopInstance({ id: held }))
  const { operation } = await system.api.instances.startInstance({ id: held })
  await ended(system.api, operation, OperationState.DONE)
  await endedBy(() => system.api.instances.restartInstance({ id: held }))
  await endedBy(() => system.api.instances.deleteInstance({ id: held }))
  expect((await system.api.audit.auditHost({})).findings).toEqual([])
})

it('a scratch disk that is deleted is told; the VM goes on with what it has open, and a new start is refused with the reason', async () => {
  const [scratch = ''] = globSync(path.join(system.dataDir, 'volume/*/*.raw'))
  await survived(async () => {
    rmSync(scratch)
    await until('the loss is told', async () => (await degraded())?.reason === 'FILE_LOST', NOTICED_MS)
    expect((await degraded())?.message).toContain(path.basename(scratch))
    expect((await exec(system.api, id, ['dd', 'if=/dev/zero', 'of=/tmp/file', 'bs=64k', 'count=1', 'conv=fsync'])).code).toBe(0)
  })
  const { operation } = await system.api.instances.restartInstance({ id })
  const last = await ended(system.api, operation, OperationState.FAILED)
  expect(last.error?.message).toContain('gone from the pool')
})

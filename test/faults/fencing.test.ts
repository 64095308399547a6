import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createClient } from '@berth/db'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { begin, cleanAudit, endOf, gone, made, type Matrix, startMatrix, starts } from './matrix.ts'

const services = { instance: 'instance', network: 'network', volume: 'volume-provisioner' } as const
type Service = keyof typeof services
const timeout = 240_000
/** A heartbeat older than this is a holder that is stopped. */
const staleMs = 3_000

let matrix: Matrix
let sql: ReturnType<typeof createClient>
let quiet: object
let children: ChildProcess[] = []

beforeAll(async () => {
  matrix = await startMatrix(11_400, { BERTH_TEST_STALE: String(staleMs) })
  sql = createClient({ url: matrix.system.databaseUrl, pool: 2 })
  await gone(matrix, await made(matrix, 'first'))
  quiet = await cleanAudit(matrix, 'the first')
}, 300_000)
afterEach(async () => {
  matrix.failpoints.clear()
  for (const child of children) await ended(child)
  children = []
})
afterAll(async () => {
  await sql?.end()
  await matrix?.[Symbol.asyncDispose]()
})

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

/** Starts one more process of a service, with the environment of the one that runs; its port is another. */
function another(service: Service, pid: number, more: NodeJS.ProcessEnv = {}): ChildProcess & { said: () => string } {
  const words = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)
  const env = Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]))
  const listen = `127.0.0.1:${Number(env['BERTH_LISTEN']?.split(':')[1]) + 20}`
  const bundle = path.join(matrix.system.build, `${services[service]}.mjs`)
  const child = spawn(process.execPath, [bundle], { env: { ...env, BERTH_LISTEN: listen, ...more }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return Object.assign(child, { said: () => text })
}

async function epochOf(service: Service): Promise<number> {
  const [row] = await sql`select epoch from ${sql(`${service}.leases`)} where service = ${service}`
  return Number(row?.['epoch'])
}

const isThere = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Stops the service by a signal, and starts its successor, which must end it before it takes over. */
async function succeeded(service: Service): Promise<ChildProcess> {
  const before = await epochOf(service)
  const pid = matrix.system.pid(service)
  process.kill(pid, 'SIGSTOP')
  const successor = another(service, pid)
  await until(
    `the successor of ${service} has taken over`,
    async () => {
      // Whoever else raised the epoch would have done it while the holder was there.
      const there = isThere(pid)
      const epoch = await epochOf(service)
      if (there && epoch !== before) throw new Error(`${service} was taken over from a holder that lived`)
      return !there && epoch === before + 1 && successor.said().includes('holds the host')
    },
    60_000,
  )
  expect(successor.exitCode).toBe(null)
  return successor
}

const held = (point: string) => until(`held at ${point}`, () => matrix.failpoints.hit(point), 60_000)

it.each([
  ['instance.create.vmm.before', 'volume.ensure.clone.before', 'network.port.ensure.tap.before'],
  ['instance.create.vmm.after', 'volume.ensure.clone.after', 'network.port.ensure.tap.after'],
  ['instance.create.boot.after', 'volume.ensure.grant.after', 'network.port.ensure.status.after'],
  ['instance.create.port.after', 'volume.ensure.allocate.after', 'network.port.ensure.rules.after'],
])(
  'services stopped at %s, %s and %s are ended by their successors, and the create has one VM',
  { timeout },
  async (instance, volume, network) => {
    matrix.failpoints.armOnce('stall', instance, volume, network)
    const { id, operation } = await begin(matrix, 'fenced')
    const stopped = async (service: Service, point: string) => {
      await held(point)
      // The supervisor's own process waits for the lock; it gets it when the successor has ended.
      await ended(await succeeded(service))
    }
    await Promise.all([stopped('volume', volume), stopped('network', network)])
    await held(instance)
    await succeeded('instance')
    await until(
      'the successor has done it',
      async () => {
        const [row] = await sql`select state from instance.operations where id = ${operation.id}`
        return row?.['state'] === 'DONE'
      },
      60_000,
    )
    for (const child of children.splice(0)) await ended(child)
    await endOf(matrix.api, operation, OperationState.DONE)
    expect(starts(matrix, id)).toBe(1)
    await cleanAudit(matrix, instance)
    await gone(matrix, id)
    expect(await cleanAudit(matrix, instance)).toEqual(quiet)
  },
)

it.each([
  ['instance', 'instance.create.record.before', 'instance.instances', 'id'],
  ['volume', 'volume.ensure.record.before', 'volume.scratch_disks', 'owner_id'],
  ['network', 'network.port.ensure.status.before', 'network.ports', 'owner_id'],
] as const)(
  'a statement of %s that is in flight when its successor takes over changes nothing',
  { timeout },
  async (service, point, table, key) => {
    matrix.failpoints.arm(point, 'stall')
    const { id, operation } = await begin(matrix, 'in-flight')
    await held(point)
    const pid = matrix.system.pid(service)
    const rowNow = async () => (await sql`select xmin, status from ${sql(table)} where ${sql(key)} = ${id}`)[0]
    const before = await rowNow()
    const letGo = Promise.withResolvers<void>()
    const blocking = Promise.withResolvers<void>()
    const blocker = sql.begin(async (tx) => {
      await tx`select 1 from ${tx(table)} where ${tx(key)} = ${id} for update`
      blocking.resolve()
      await letGo.promise
    })
    await blocking.promise
    // The service goes on and waits for the row; a successor that comes to the same point is held there.
    matrix.failpoints.clear()
    await until('its statement waits at the row', async () => {
      const waiting = await sql`select 1 from pg_stat_activity where application_name = ${`berth-${service}`} and wait_event_type = 'Lock'`
      return waiting.length > 0
    })
    process.kill(pid, 'SIGSTOP')
    matrix.failpoints.arm(point, 'stall')
    const epoch = await epochOf(service)
    const successor = another(service, pid)
    await until('the holder is ended', () => !isThere(pid), 60_000)
    letGo.resolve()
    await blocker
    await until(
      'the successor holds the host',
      async () => successor.said().includes('holds the host') && (await epochOf(service)) > epoch,
      60_000,
    )
    expect(await rowNow()).toEqual(before)
    matrix.failpoints.clear()
    for (const child of children.splice(0)) await ended(child)
    await endOf(matrix.api, operation, OperationState.DONE)
    expect(starts(matrix, id)).toBe(1)
    await gone(matrix, id)
    expect(await cleanAudit(matrix, service)).toEqual(quiet)
  },
)

it.each([
  ['instance', 'instance.create.record.before', 'instance.instances', 'id'],
  ['volume', 'volume.ensure.allocate.before', 'volume.scratch_disks', 'owner_id'],
  ['network', 'network.port.ensure.record.before', 'network.ports', 'owner_id'],
] as const)(
  '%s that comes back from a stop and has been succeeded writes nothing and exits',
  { timeout },
  async (service, point, table, key) => {
    matrix.failpoints.arm(point, 'stall')
    const { id, operation } = await begin(matrix, 'overtaken')
    await held(point)
    const pid = matrix.system.pid(service)
    process.kill(pid, 'SIGSTOP')
    const rowNow = async () => (await sql`select xmin, status from ${sql(table)} where ${sql(key)} = ${id}`)[0]
    const before = await rowNow()
    // As a successor in another pid namespace would, which cannot end it.
    await sql`update ${sql(`${service}.leases`)} set epoch = epoch + 1, heartbeat = now() where service = ${service}`
    matrix.failpoints.clear()
    process.kill(pid, 'SIGCONT')
    await until('the overtaken one has gone', () => !isThere(pid), 30_000)
    // The supervisor's next one is not there yet.
    expect(await rowNow()).toEqual(before)
    await endOf(matrix.api, operation, OperationState.DONE)
    expect(starts(matrix, id)).toBe(1)
    await gone(matrix, id)
    expect(await cleanAudit(matrix, service)).toEqual(quiet)
  },
)

it.each(Object.keys(services) as Service[])('%s refuses a data folder that was copied from another machine', {
  timeout,
}, async (service) => {
  const copy = mkdtempSync('/var/tmp/berth-test-copied-')
  try {
    const host = JSON.parse(readFileSync(path.join(matrix.system.dataDir, 'host.json'), 'utf8')) as { machineId: string }
    cpSync(path.join(matrix.system.dataDir, 'host.key'), path.join(copy, 'host.key'))
    mkdirSync(path.join(copy, service))
    writeFileSync(path.join(copy, 'host.json'), JSON.stringify({ ...host, machineId: host.machineId.split('').toReversed().join('') }))
    const epoch = await epochOf(service)
    const child = another(service, matrix.system.pid(service), { BERTH_DATA_DIR: copy })
    const [code] = (await once(child, 'exit')) as [number | null]
    expect({ service, code: code === 0 ? 0 : 1, refused: child.said().includes('made on another machine') }).toEqual({
      service,
      code: 1,
      refused: true,
    })
    expect(await epochOf(service)).toBe(epoch)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { type OwnPostgres, ownPostgres } from '@berth/testing/servers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { create, ended, exec, remove } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

const OFFSET = 12_600
let registry: TestRegistry
let postgres: OwnPostgres
let system: TestSystem
let image: string

/** The services work in the database `live`, which the test puts away and back while they run. */
beforeAll(async () => {
  registry = await startRegistry()
  postgres = await ownPostgres()
  await postgres.sql('create database live')
  const url = new URL(postgres.url)
  url.pathname = '/live'
  const env = { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host, DATABASE_URL: url.href }
  system = await startTestSystem({ portOffset: OFFSET, env })
  image = await publish(registry, 'restored', busyboxImage().image)
}, 240_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await postgres?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

/** Nobody can connect while `work` is done. */
async function closed(work: () => Promise<unknown>): Promise<void> {
  await postgres.sql('alter database live connection limit 0')
  await postgres.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = 'live'`)
  await until('nobody is connected', async () => (await postgres.sql(`select 1 from pg_stat_activity where datname = 'live'`)).length === 0)
  await work()
  await postgres.sql('alter database live connection limit -1')
}

/** Everything of VMs on the host, as far as it has names: files of all services, taps, and which VMs live on paper. */
function onHost(): string[] {
  const below = (folder: string): string[] =>
    existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name)) : []
  const parts = ['image/roots', 'image/blobs', 'volume/default', 'instance'].map((part) => path.join(system.dataDir, part))
  const files = parts.flatMap(below).filter((name) => !/jwks|\/lock$|\/epoch$|\.tmp/.test(name))
  return [...files, ...readdirSync('/sys/class/net')].toSorted()
}

function starts(id: string): number {
  const trail = readFileSync(path.join(system.dataDir, 'instance/recorder.jsonl'), 'utf8').split('\n').filter(Boolean)
  return trail.filter((line) => line.includes(id) && line.includes('"started"')).length
}

/** Of the services that hold the host; undefined while one is being started again. */
const pids = () =>
  ['image', 'volume', 'network', 'instance'].map((name) => {
    try {
      return system.pid(name)
    } catch {
      return undefined
    }
  })
const anew = (before: (number | undefined)[]) => pids().every((pid, index) => pid !== undefined && pid !== before[index])

async function readyAgain(): Promise<void> {
  const look = async (port: number) =>
    fetch(`http://127.0.0.1:${port + OFFSET}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until('all are ready', async () => (await Promise.all([7111, 7112, 7113, 7114, 7115].map(look))).every(Boolean), 60_000)
}

/** A state that is not older than the last heartbeat cannot be told from the present one. */
async function beatenSince(time: Date): Promise<void> {
  const schemas = ['image', 'volume', 'network', 'instance']
  const beats = schemas.map((schema) => `select min(heartbeat) as heartbeat from ${schema}.leases`).join(' union all ')
  const sql = `select min(heartbeat) > '${time.toISOString()}' as beaten from (${beats}) all_beats`
  await until('every service has said since that it lives', async () => {
    const [row] = await postgres.sql(sql, 'live')
    return row?.['beaten'] === true
  })
}

it('a database restored from an earlier copy: nothing is deleted, forgotten VMs are told by the audit, and none is started beside them', {
  timeout: 200_000,
}, async () => {
  const kept = await create(system.api, 'kept', image)
  const lost = await create(system.api, 'deleted-later', image)
  await closed(() => postgres.sql('create database earlier template live'))
  const copied = new Date()
  await readyAgain()
  await until(
    'the delete is taken',
    () =>
      remove(system.api, lost.id).then(
        () => true,
        () => false,
      ),
    30_000,
  )
  const forgotten = await create(system.api, 'forgotten', image)
  await beatenSince(copied)
  const before = { host: onHost(), pids: pids() }

  await closed(async () => {
    await postgres.sql('alter database live rename to later')
    await postgres.sql('create database live template earlier')
  })
  await until('every service has noticed and begun anew', () => anew(before.pids), 60_000)
  await readyAgain()

  const { findings } = await until('the audit answers', () => system.api.audit.auditHost({}).catch(() => undefined), 30_000)
  const orphans = findings.filter(
    ({ side, service, kind }) => service === 'instance' && side === FindingSide.HOST_ONLY && kind === 'process',
  )
  expect(orphans.map(({ name }) => name)).toEqual([`paper ${forgotten.id}`])
  expect(await exec(system.api, kept.id, ['echo', 'here'])).toMatchObject({ code: 0 })
  const spec = { boot: { case: 'image' as const, value: { image } } }
  const { operation } = await system.api.instances.createInstance({ name: 'beside', spec })
  const refused = await ended(system.api, operation, OperationState.FAILED)
  expect(refused.error?.message).toContain(forgotten.id)
  expect([kept, lost, forgotten].map(({ id }) => starts(id))).toEqual([1, 1, 1])
  const now = new Set(onHost())
  expect(before.host.filter((name) => !now.has(name))).toEqual([])

  const again = pids()
  await closed(async () => {
    await postgres.sql('drop database live')
    await postgres.sql('alter database later rename to live')
  })
  await until('the later state is in use', () => anew(again), 60_000)
  await readyAgain()
})

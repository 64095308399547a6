import { isBerthError } from '@berth/errors'
import { type OwnPostgres, ownPostgres, type SlowPostgres, slowPostgres } from '@berth/testing/servers'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { until } from '@berth/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { create, ended, exec, remove } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLoad } from '../support/load.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

const OFFSET = 12_000
const SERVICES = { gateway: 7100, image: 7111, volume: 7112, network: 7113, device: 7114, instance: 7115 }
type Answer = { ready: boolean; database: boolean }

let registry: TestRegistry
let postgres: OwnPostgres
let door: SlowPostgres
let system: TestSystem
let image: string
let standing: string
let pids: number[]

/** One system whose Postgres is reached through a door of the test's own; one VM stands all the time. */
beforeAll(async () => {
  registry = await startRegistry()
  postgres = await ownPostgres()
  door = await slowPostgres(postgres.url)
  const env = { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host, DATABASE_URL: door.url }
  system = await startTestSystem({ portOffset: OFFSET, env })
  image = await publish(registry, 'stores', busyboxImage().image)
  standing = (await create(system.api, 'standing', image)).id
  pids = Object.keys(SERVICES).map((name) => system.pid(name))
}, 240_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await door?.[Symbol.asyncDispose]()
  await postgres?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

/** After each of them: the same processes, all ready, work is done and nothing is left over. */
afterEach(async () => {
  door.delayMs = 0
  await postgres.start()
  await until('all services are ready again', async () => (await readiness()).every(({ ready }) => ready), 40_000)
  expect(Object.keys(SERVICES).map((name) => system.pid(name))).toEqual(pids)
  expect(await exec(system.api, standing, ['echo', 'well'])).toMatchObject({ code: 0 })
  await remove(system.api, (await create(system.api, 'after', image)).id)
  expect((await system.api.audit.auditHost({})).findings).toEqual([])
})

function readiness(): Promise<Answer[]> {
  return Promise.all(
    Object.values(SERVICES).map(async (port) => {
      const answer = await fetch(`http://127.0.0.1:${port + OFFSET}/readyz`, { signal: AbortSignal.timeout(5_000) })
      return (await answer.json()) as Answer
    }),
  )
}

async function aliveWithin(limitMs: number): Promise<void> {
  for (const port of Object.values(SERVICES)) {
    const answer = await fetch(`http://127.0.0.1:${port + OFFSET}/healthz`, { signal: AbortSignal.timeout(limitMs) })
    expect(answer.status).toBe(200)
  }
}

/** What calls of every kind get: OK, or code and reason; each within its deadline. */
async function outcomes(timeoutMs: number): Promise<{ reads: string[]; writes: string[] }> {
  const spec = { boot: { case: 'image' as const, value: { image } } }
  const { api } = system
  const calls = {
    reads: [
      () => api.instances.listInstances({}, { timeoutMs }),
      () => api.images.listImages({}, { timeoutMs }),
      () => api.networks.listNetworks({}, { timeoutMs }),
      () => api.operations.listOperations({}, { timeoutMs }),
      () => api.instances.getInstance({ id: standing }, { timeoutMs }),
    ],
    writes: [
      () => api.instances.createInstance({ name: 'refused', spec, requestId: 'the-same-each-time' }, { timeoutMs }),
      () => api.volumes.createVolume({ name: 'refused', sizeBytes: 1n << 20n }, { timeoutMs }),
    ],
  }
  const outcome = async (call: () => Promise<unknown>): Promise<string> => {
    const startMs = performance.now()
    try {
      await call()
      return 'OK'
    } catch (error) {
      expect(performance.now() - startMs).toBeLessThan(timeoutMs + 1_500)
      return isBerthError(error) ? `${error.code} ${error.reason}` : String(error)
    }
  }
  return { reads: await Promise.all(calls.reads.map(outcome)), writes: await Promise.all(calls.writes.map(outcome)) }
}

describe('Postgres', () => {
  it.each(['restarted', 'killed'] as const)('%s under load: refusals are UNAVAILABLE or DEADLINE_EXCEEDED, nothing acknowledged is lost', {
    timeout: 120_000,
  }, async (how) => {
    await using load = startLoad(system.api, image)
    await until('work is being done', () => load.seen.rounds.length >= 3, 30_000)
    await (how === 'killed' ? postgres.kill() : postgres.stop())
    await until('all say that they are not ready', async () => (await readiness()).every(({ ready, database }) => !ready && !database))
    await until('calls are refused', () => load.seen.refusals.size > 0)
    const before = load.seen.rounds.length
    await postgres.start()
    await until('work goes on', () => load.seen.rounds.length >= before + 3, 30_000)
    const { faults, refusals } = await load.end()
    expect(faults).toEqual([])
    expect(refusals.size).toBeGreaterThan(0)
    const { instances } = await system.api.instances.listInstances({})
    expect(instances.map(({ name }) => name)).toEqual(['standing'])
  })

  it('read-only: reads work, writes are UNAVAILABLE with the reason, and it passes without a restart', async () => {
    await postgres.sql('alter system set default_transaction_read_only = on')
    await postgres.sql('select pg_reload_conf()')
    const { reads } = await outcomes(5_000)
    expect(new Set(reads)).toEqual(new Set(['OK']))
    expect(new Set((await outcomes(5_000)).writes)).toEqual(new Set(['UNAVAILABLE DATABASE_READ_ONLY']))
    await postgres.sql('alter system reset default_transaction_read_only')
    await postgres.sql('select pg_reload_conf()')
  })

  it('out of connections: calls are UNAVAILABLE, readiness falls, and it passes', async () => {
    await postgres.sql('alter database postgres connection limit 0')
    await postgres.sql(`select pg_terminate_backend(pid) from pg_stat_activity where usename like 'berth\\_%'`)
    const { reads, writes } = await outcomes(5_000)
    expect(new Set([...reads, ...writes])).toEqual(new Set(['UNAVAILABLE DATABASE_UNAVAILABLE']))
    expect((await readiness()).map(({ ready }) => ready)).toEqual(Object.keys(SERVICES).map(() => false))
    await postgres.sql('alter database postgres connection limit -1')
  })

  it('answering after 5 s: calls end at their deadline, services stay alive, and a repeated create finds what the first began', async () => {
    door.delayMs = 5_000
    const [{ reads, writes }] = await Promise.all([outcomes(2_000), aliveWithin(2_000)])
    for (const outcome of [...reads, ...writes]) expect(outcome).toMatch(/^(DEADLINE_EXCEEDED|UNAVAILABLE) /)
    expect((await readiness()).every(({ ready }) => !ready)).toBe(true)
    door.delayMs = 0
    const spec = { boot: { case: 'image' as const, value: { image } } }
    const request = { name: 'refused', spec, requestId: 'the-same-each-time' }
    const { instance, operation } = await until('it is answered again', () =>
      system.api.instances.createInstance(request, { timeoutMs: 5_000 }).catch(() => undefined),
    )
    await ended(system.api, operation)
    const found = (await system.api.instances.listInstances({})).instances.filter(({ name }) => name === 'refused')
    expect(found.map(({ id }) => id)).toEqual([instance?.id])
    await remove(system.api, instance?.id ?? '')
    const { volumes } = await system.api.volumes.listVolumes({})
    for (const volume of volumes) await ended(system.api, (await system.api.volumes.deleteVolume({ id: volume.id })).operation)
  })
})

/** Tables that a create writes, in the services that do it; not more than two of a group in one transaction. */
const GROUPS = [
  ['instance.instances', 'instance.operations', 'volume.scratch_disks', 'network.ports', 'image.image_holds'],
  ['instance.outbox', 'instance.request_ids', 'volume.attachments', 'network.outbox'],
]

describe('a transaction that Postgres refuses', () => {
  it.each(['40001', '40P01', '55P03'])('with %s is tried again at every table, and nobody hears of it', async (code) => {
    for (const tables of GROUPS) {
      await refuse(tables, code, 1)
      const { id } = await create(system.api, 'retried', image)
      for (const [table, tries] of await allow(tables)) expect.soft(tries, table).toBeGreaterThan(1)
      await remove(system.api, id)
    }
  })

  it('again and again is tried four times and then ABORTED', async () => {
    await refuse(['instance.instances'], '40001', 1_000)
    const spec = { boot: { case: 'image' as const, value: { image } } }
    await expect(system.api.instances.createInstance({ name: 'never', spec }, { timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'ABORTED',
      reason: 'CONFLICT',
    })
    expect(await allow(['instance.instances'])).toEqual([['instance.instances', 4]])
  })
})

/** The first `times` inserts into each table fail; sequences count, since no rollback takes them back. */
async function refuse(tables: readonly string[], code: string, times: number): Promise<void> {
  await postgres.sql(`create function public.refuse() returns trigger language plpgsql security definer as $$ begin
      if nextval('public.tries_' || tg_table_schema || '_' || tg_table_name) <= ${times} then
        raise exception 'refused' using errcode = '${code}';
      end if;
      return null;
    end $$`)
  for (const table of tables) {
    await postgres.sql(`create sequence public.tries_${table.replace('.', '_')}`)
    await postgres.sql(`create trigger refuse before insert on ${table} for each statement execute function public.refuse()`)
  }
}

/** Takes that back; answers how many inserts were tried in each. */
async function allow(tables: readonly string[]): Promise<[string, number][]> {
  const counted: [string, number][] = []
  for (const table of tables) {
    const sequence = `public.tries_${table.replace('.', '_')}`
    const [row] = await postgres.sql(`select last_value from ${sequence}`)
    counted.push([table, Number(row?.['last_value'])])
    await postgres.sql(`drop trigger refuse on ${table}`)
    await postgres.sql(`drop sequence ${sequence}`)
  }
  await postgres.sql('drop function public.refuse()')
  return counted
}

import { once } from 'node:events'
import net from 'node:net'
import { createClient } from '@berth/db'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create, ended, remove } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'
import { traceDuring } from '../support/trace.ts'

const OFFSET = 5000
let registry: TestRegistry
let system: TestSystem
let image: string

beforeAll(async () => {
  registry = await startRegistry()
  system = await startTestSystem({ portOffset: OFFSET, env: { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host } })
  image = await publish(registry, 'same', busyboxImage().image)
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

const spec = () => ({ boot: { case: 'image' as const, value: { image } } })

describe('asking twice', () => {
  it('the same request id fifty times at once makes one VM, and every answer names the same instance and operation', async () => {
    const requestId = crypto.randomUUID()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => system.api.instances.createInstance({ name: 'once', requestId, spec: spec() })),
    )
    expect(new Set(answers.map(({ instance }) => instance?.id)).size).toBe(1)
    expect(new Set(answers.map(({ operation }) => operation?.id)).size).toBe(1)
    await ended(system.api, answers[0]?.operation, OperationState.DONE)
    expect((await system.api.instances.listInstances({})).instances).toHaveLength(1)
    await remove(system.api, answers[0]?.instance?.id ?? '')
  })

  it('the same request id with another body is refused', async () => {
    const requestId = crypto.randomUUID()
    const { instance } = await system.api.instances.createInstance({ name: 'first', requestId, spec: spec() })
    await expect(system.api.instances.createInstance({ name: 'second', requestId, spec: spec() })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'REQUEST_ID_REUSED',
    })
    await remove(system.api, instance?.id ?? '')
  })

  it('the same name two hundred times at once has one winner; 199 are told ALREADY_EXISTS', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 200 }, () =>
        system.api.instances.createInstance({ name: 'wanted', requestId: crypto.randomUUID(), spec: spec() }),
      ),
    )
    const winners = results.filter((result) => result.status === 'fulfilled')
    const losers = results.filter((result) => result.status === 'rejected')
    expect(winners).toHaveLength(1)
    expect(losers.map(({ reason }) => (reason as { code: string }).code)).toEqual(Array.from({ length: 199 }, () => 'ALREADY_EXISTS'))
    expect(losers[0]?.reason).toMatchObject({ reason: 'NAME_TAKEN' })
    await ended(system.api, winners[0]?.value.operation, OperationState.DONE)
    await remove(system.api, winners[0]?.value.instance?.id ?? '')
  })
})

describe('what a create costs', () => {
  it('at most twelve writing transactions on its path, and the counters miss none that Postgres saw', async () => {
    await remove(system.api, (await create(system.api, 'warm', image)).id)
    await using sql = connection()
    const [before, xidBefore] = await whenQuiet(sql)
    const ids: string[] = []
    for (let index = 0; index < 20; index += 1) ids.push((await create(system.api, `cost-${index}`, image)).id)
    const [after, xidAfter] = await whenQuiet(sql)

    const spent = new Map([...after].map(([purpose, count]) => [purpose, count - (before.get(purpose) ?? 0)]))
    const apart = /^(relay|lease|progress|retention|sweep|migrate)/
    const onPath = [...spent].filter(([purpose]) => !apart.test(purpose)).reduce((sum, [, count]) => sum + count, 0)
    expect(onPath / 20, JSON.stringify(Object.fromEntries(spent))).toBeLessThanOrEqual(12)
    const counted = [...spent.values()].reduce((sum, count) => sum + count, 0)
    expect(Number(xidAfter - xidBefore), JSON.stringify(Object.fromEntries(spent))).toBeLessThanOrEqual(counted)
    await Promise.all(ids.map((id) => remove(system.api, id)))
  })
})

function connection() {
  const sql = createClient({ url: system.databaseUrl, pool: 1 })
  return Object.assign(sql, { [Symbol.asyncDispose]: () => sql.end() })
}

describe('reads', () => {
  it('fifty lists and gets start no process and touch no VMM', async () => {
    const { id } = await create(system.api, 'read', image)
    const { started, connected, accepted } = await traceDuring(system.pid('instance'), async () => {
      await once(net.connect(7115 + OFFSET, '127.0.0.1').end(), 'close')
      for (let index = 0; index < 50; index += 1) {
        expect((await system.api.instances.listInstances({})).instances).toHaveLength(1)
        expect((await system.api.instances.getInstance({ id })).instance?.name).toBe('read')
      }
    })
    expect({ started, below: connected.filter((socket) => socket.startsWith(system.runDir)) }).toEqual({ started: [], below: [] })
    expect(accepted).toBeGreaterThan(0)
    await remove(system.api, id)
  })
})

/** Counters and transaction id of a moment in which nobody writes: what is under way has an id and is counted only when it has ended. */
async function whenQuiet(sql: ReturnType<typeof connection>): Promise<[Map<string, number>, bigint]> {
  return until('a moment without a writer', async () => {
    const xid = await currentXid(sql)
    const [row] = await sql<{ writers: number }[]>`select count(backend_xid)::int as writers from pg_stat_activity`
    const counts = await transactions()
    return row?.writers === 0 && (await currentXid(sql)) === xid && [counts, xid]
  })
}

/** Takes no transaction id itself: the next id to be given out, by the end of the current snapshot. */
async function currentXid(sql: ReturnType<typeof connection>): Promise<bigint> {
  const [row] = await sql<{ xid: string }[]>`select pg_snapshot_xmax(pg_current_snapshot())::text as xid`
  return BigInt(row?.xid ?? 0)
}

/** Writing transactions by purpose, over all services. */
async function transactions(): Promise<Map<string, number>> {
  const sums = new Map<string, number>()
  for (const port of [7000, 7011, 7012, 7013, 7014, 7015]) {
    const text = await (await fetch(`http://127.0.0.1:${port + 100 + OFFSET}/metrics`)).text()
    for (const [, purpose = '', count = '0'] of text.matchAll(/^berth_db_transactions_total\{[^}]*purpose="([^"]+)"[^}]*\} (\d+)/gm)) {
      sums.set(purpose, (sums.get(purpose) ?? 0) + Number(count))
    }
  }
  return sums
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { home, until } from '@berth/testing'
import { type OwnNats, ownNats, type OwnPostgres, ownPostgres } from '@berth/testing/servers'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { create, remove } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLoad } from '../support/load.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

const OFFSET = 13_000
const SCHEMAS = ['image', 'volume', 'network', 'device', 'instance'] as const
/** Outboxes and controllers look by themselves about every 2 s and 5 s (± 20 %): what a create may take longer without notice. */
const POLL_MS = 8_000

let registry: TestRegistry
let postgres: OwnPostgres
let nats: OwnNats
let system: TestSystem
let image: string

beforeAll(async () => {
  registry = await startRegistry()
  postgres = await ownPostgres()
  nats = await ownNats()
  const env = { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host, DATABASE_URL: postgres.url, NATS_URL: nats.url }
  system = await startTestSystem({ portOffset: OFFSET, env })
  image = await publish(registry, 'noticed', busyboxImage().image)
  await remove(system.api, (await create(system.api, 'first', image)).id)
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await nats?.[Symbol.asyncDispose]()
  await postgres?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

type Told = { service: string; seq: string; id: string; resourceId: string; generation?: string; verb: string }

/** `berth events -F` with what it has said so far. */
function followEvents(): { child: ChildProcess; told: Told[] } {
  const child = spawn(process.execPath, [path.join(home, 'apps/cli/src/main.ts'), 'events', '-F', '-o', 'jsonl'], {
    env: system.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const told: Told[] = []
  if (child.stdout) createInterface(child.stdout).on('line', (line) => told.push(JSON.parse(line) as Told))
  return { child, told }
}

/** All that is written in the outboxes, each in its order. */
async function written(): Promise<Map<string, string[]>> {
  const rows = await Promise.all(
    SCHEMAS.map((schema) => postgres.sql(`select id from ${schema}.outbox where project = 'default' order by seq`)),
  )
  return new Map(SCHEMAS.map((schema, index) => [schema, (rows[index] ?? []).map(({ id }) => String(id))]))
}

async function unpublished(): Promise<number> {
  const all = await Promise.all(SCHEMAS.map((schema) => postgres.sql(`select 1 from ${schema}.outbox where publish_time is null`)))
  return all.flat().length
}

async function deleteStream(): Promise<void> {
  const url = new URL(nats.url)
  const client = await connect({ servers: url.host, user: url.username, pass: url.password })
  const manager = await jetstreamManager(client)
  await manager.streams.delete('BERTH')
  await client.close()
}

async function streamedMessages(): Promise<number> {
  const url = new URL(nats.url)
  const client = await connect({ servers: url.host, user: url.username, pass: url.password })
  const manager = await jetstreamManager(client)
  const info = await manager.streams.info('BERTH').catch(() => undefined)
  await client.close()
  return info?.state.messages ?? 0
}

/** Twelve seconds stand for a minute here: six polls of every outbox, two of every controller. */
it('NATS stopped, its stream deleted, its store wiped, under load: creates go on, and every event is told once and in order', {
  timeout: 180_000,
}, async () => {
  const { child, told } = followEvents()
  const watching = new AbortController()
  const watched: { id: string; generation: bigint; type: number }[] = []
  const watch = (async () => {
    for await (const { instance, type } of system.api.instances.watchInstances({}, { signal: watching.signal }))
      if (instance) watched.push({ id: instance.id, generation: instance.generation, type })
  })().catch(() => undefined)
  const load = startLoad(system.api, image)
  const rounds = (since: number) => load.seen.rounds.filter(({ startMs }) => startMs >= since)
  await until('work is being done', () => load.seen.rounds.length >= 4, 30_000)
  const slowestBefore = Math.max(...load.seen.rounds.map(({ createMs }) => createMs))

  await nats.kill()
  const downMs = performance.now()
  await until(
    'twelve seconds of work were done without NATS',
    () => performance.now() - downMs > 12_000 && rounds(downMs).length >= 4,
    60_000,
  )
  const slowestWithout = Math.max(...rounds(downMs).map(({ createMs }) => createMs))
  await nats.start()
  await until('what came meanwhile is in the stream', async () => (await unpublished()) < 50, 30_000)

  await deleteStream()
  const deletedMs = performance.now()
  await until(
    'the stream is there again, and work goes on',
    async () => rounds(deletedMs).length >= 3 && (await streamedMessages()) > 0,
    60_000,
  )

  await nats.stop()
  nats.wipe()
  await nats.start()
  const wipedMs = performance.now()
  await until(
    'the empty server is in use, and work goes on',
    async () => rounds(wipedMs).length >= 3 && (await streamedMessages()) > 0,
    60_000,
  )

  const { faults, refusals, rounds: all } = await load.end()
  expect(faults).toEqual([])
  expect(refusals).toEqual(new Map())
  expect(slowestWithout).toBeLessThan(slowestBefore + POLL_MS)
  await until('all is published', async () => (await unpublished()) === 0, 30_000)

  const rows = await written()
  const total = [...rows.values()].flat().length
  await until('everything was told', () => told.length >= total, 20_000)
  for (const schema of SCHEMAS) expect(told.filter(({ service }) => service === schema).map(({ id }) => id)).toEqual(rows.get(schema))
  for (const { id } of all) {
    const own = watched.filter((one) => one.id === id)
    expect(own.at(-1)?.type, id).toBe(3)
    expect(own.map(({ generation }) => generation)).toEqual(own.map(({ generation }) => generation).toSorted((a, b) => Number(a - b)))
  }
  watching.abort()
  await watch
  child.kill('SIGTERM')
  await once(child, 'exit')
})

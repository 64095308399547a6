import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { createClient } from '@berth/db'
import { FindingSide, RemovalOutcome } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { create, exec } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

let registry: TestRegistry
let system: TestSystem
let sql: ReturnType<typeof createClient>
let ids: { known: string; forgotten: string }

beforeAll(async () => {
  registry = await startRegistry()
  system = await startLightSystem({ portOffset: 12_900, env: { BERTH_INSECURE_REGISTRIES: registry.host } })
  sql = createClient({ url: system.databaseUrl, pool: 1 })
  const image = await publish(registry, 'cleaned', busyboxImage().image)
  const [known, forgotten] = await Promise.all(['known', 'forgotten'].map((name) => create(system.api, name, image)))
  ids = { known: known?.id ?? '', forgotten: forgotten?.id ?? '' }
})
afterAll(async () => {
  await sql?.end()
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

const clean = async (includeRunning = false) => (await system.api.audit.cleanHost({ maxRemovals: 100, includeRunning })).removals
const outcomes = (removals: Awaited<ReturnType<typeof clean>>) =>
  Object.fromEntries(removals.map(({ finding, outcome, message }) => [`${finding?.kind} ${finding?.name}`, [outcome, message]]))
const hasLink = (name: string) => execFileSync('ip', ['-br', 'link', 'show'], { encoding: 'utf8' }).includes(name)

async function thingsOf(id: string): Promise<{ raw: string; tap: string; pid: number }> {
  const [port] = await sql`select tap from network.ports where owner_id = ${id}`
  const [disk] = await sql`select id from volume.scratch_disks where owner_id = ${id}`
  const { instance } = await system.api.instances.getInstance({ id })
  return {
    raw: path.join(system.dataDir, 'volume/default', `${disk?.['id']}.raw`),
    tap: String(port?.['tap']),
    pid: instance?.status?.vmmPid ?? 0,
  }
}

it('keeps disk and port of a VM that its instance knows when their services have forgotten them', async () => {
  const { raw, tap } = await thingsOf(ids.known)
  const [port] = await sql`select * from network.ports where owner_id = ${ids.known}`
  const [disk] = await sql`select * from volume.scratch_disks where owner_id = ${ids.known}`
  await sql`delete from network.ports where owner_id = ${ids.known}`
  await sql`delete from volume.scratch_disks where owner_id = ${ids.known}`
  const removals = await clean(true)
  await sql`insert into network.ports ${sql(port ?? {})}`
  await sql`insert into volume.scratch_disks ${sql(disk ?? {})}`

  expect(removals.filter(({ outcome }) => outcome !== RemovalOutcome.KEPT)).toEqual([])
  expect(outcomes(removals)[`tap ${tap}`]?.[1]).toMatch(/^process \d+ has bt\w+ open$/)
  expect(outcomes(removals)[`file ${path.basename(raw)}`]?.[1]).toMatch(/^process \d+ has it open$/)
  expect(
    await exec(system.api, ids.known, [
      'sh',
      '-c',
      'ping -c 1 -W 2 $(ip route | sed -n "s/^default via \\([^ ]*\\).*/\\1/p") && touch /written',
    ]),
  ).toMatchObject({
    code: 0,
  })
})

it('keeps a VM that nobody knows with all that is its own, and ends VMM and shim when told to, then takes the rest', async () => {
  const { raw, tap, pid } = await thingsOf(ids.forgotten)
  for (const [table, column] of Object.entries({
    'volume.attachments': 'owner_id',
    'volume.scratch_disks': 'owner_id',
    'network.ports': 'owner_id',
    'image.image_holds': 'owner_id',
    'instance.operations': 'resource_id',
    'instance.instances': 'id',
  }))
    await sql`delete from ${sql(table)} where ${sql(column)} = ${ids.forgotten}`
  const there = () => [
    existsSync(`/proc/${pid}`),
    existsSync(raw),
    hasLink(tap),
    existsSync(path.join(system.dataDir, 'instance', ids.forgotten)),
  ]

  expect(new Set((await clean()).map(({ outcome }) => outcome))).toEqual(new Set([RemovalOutcome.KEPT]))
  expect(there()).toEqual([true, true, true, true])

  const removals = await clean(true)
  expect(removals.filter(({ outcome }) => outcome !== RemovalOutcome.REMOVED)).toEqual([])
  const kinds = new Set(removals.map(({ finding }) => `${finding?.service} ${finding?.kind}`))
  expect([...kinds]).toEqual(expect.arrayContaining(['instance process', 'instance socket', 'instance folder', 'instance cgroup']))
  expect(removals.filter(({ finding }) => finding?.kind === 'process')).toHaveLength(2)
  await until('the VMM has been reaped', () => !there()[0], 10_000)
  expect(there()).toEqual([false, false, false, false])
  const { findings } = await system.api.audit.auditHost({})
  expect(findings.filter(({ side }) => side === FindingSide.HOST_ONLY)).toEqual([])
  expect(await exec(system.api, ids.known, ['cat', '/written'])).toMatchObject({ code: 0 })
})

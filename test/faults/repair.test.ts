import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { createClient } from '@berth/db'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create, exec } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

/** What somebody did to the host by hand is noticed within this, and repaired where it can be. */
const NOTICED_MS = 10_000

let registry: TestRegistry
let system: TestSystem
let facts: { id: string; tap: string; port: string; mac: string; bridge: string; table: string }

beforeAll(async () => {
  registry = await startRegistry()
  system = await startLightSystem({ portOffset: 14_400, env: { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host } })
  const { id } = await create(system.api, 'guest', await publish(registry, 'repair', busyboxImage().image))
  const sql = createClient({ url: system.databaseUrl, pool: 1 })
  const [port] = await sql`select id, tap, mac, network_id from network.ports where owner_id = ${id}`
  const [place] = await sql`select bridge from network.network_hosts where network_id = ${port?.['network_id']}`
  const [names] = await sql`select short from network.host_names`
  await sql.end()
  facts = {
    ...{ id, tap: String(port?.['tap']), port: String(port?.['id']), mac: String(port?.['mac']) },
    ...{ bridge: String(place?.['bridge']), table: `berth_${names?.['short']}` },
  }
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

const sh = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

interface Link {
  readonly master?: string
  readonly flags: string[]
  readonly ifindex: number
}

function link(name: string): Link | undefined {
  try {
    return (JSON.parse(sh('ip', '-j', 'link', 'show', 'dev', name)) as Link[])[0]
  } catch {
    return undefined
  }
}

const isUp = (name: string) => link(name)?.flags.includes('UP') === true

/** Whether frames of the guest, and only of that guest, pass from its tap. */
const hasRules = (): boolean => {
  const ruleset = sh('nft', 'list', 'ruleset')
  const chains = ['from_guest', 'guest_arp', 'forward_guest', 'guest_to_host', 'postrouting']
  return chains.every((chain) => ruleset.includes(`chain ${chain} `)) && ruleset.includes(`"${facts.tap}" . ${facts.mac}`)
}

const conditions = async () => (await system.api.networks.getPort({ id: facts.port })).port?.status?.conditions ?? []

async function isWhole(): Promise<boolean> {
  if (!isUp(facts.bridge) || !isUp(facts.tap) || link(facts.tap)?.master !== facts.bridge || !hasRules()) return false
  if ((await conditions()).some(({ reason }) => reason !== 'READY')) return false
  return (await system.api.audit.auditHost({})).findings.length === 0
}

/** What the host gives everything that is made anew another number of. */
function made(): string {
  const tables = sh('nft', '-a', 'list', 'ruleset').match(/^table .*# handle \d+$/gm)
  return JSON.stringify([tables, link(facts.bridge)?.ifindex, link(facts.tap)?.ifindex])
}

describe('within ten seconds', () => {
  it.each([
    ['flushed rules come back', () => sh('nft', 'flush', 'ruleset')],
    [
      'deleted tables come back',
      () => (sh('nft', 'delete', 'table', 'inet', facts.table), sh('nft', 'delete', 'table', 'bridge', facts.table)),
    ],
    ['a deleted bridge comes back, with the taps on it', () => sh('ip', 'link', 'del', facts.bridge)],
    ['a deleted tap comes back', () => sh('ip', 'link', 'del', facts.tap)],
    ['rules and tap, both gone, come back', () => (sh('nft', 'flush', 'ruleset'), sh('ip', 'link', 'del', facts.tap))],
    [
      'a table of our name that ours does not fit into goes',
      () => {
        sh('nft', `flush ruleset; add table inet ${facts.table}; add set inet ${facts.table} bridges { type ipv4_addr; }`)
      },
    ],
  ])('%s', async (_, harm) => {
    const before = made()
    harm()
    // Whole of new parts: what is repaired at once may never be seen broken.
    await until('the host is whole again', async () => made() !== before && (await isWhole()), NOTICED_MS + 5_000)
    expect((await exec(system.api, facts.id, ['true'])).code).toBe(0)
  })
})

it('a tap that comes back together with the rules is never up before them', async () => {
  sh('nft', 'flush', 'ruleset')
  sh('ip', 'link', 'del', facts.tap)
  let looks = 0
  await until(
    'the tap is up again',
    () => {
      looks += 1
      const up = isUp(facts.tap)
      // Looked at after the tap: rules that stand by now prove nothing against it, rules that are missing do.
      if (up) expect(hasRules()).toBe(true)
      return up
    },
    NOTICED_MS + 5_000,
  )
  expect(looks).toBeGreaterThan(1)
  await until('the host is whole again', isWhole, NOTICED_MS)
})

describe('what is deleted under a VM', () => {
  it('is said of its folder, by info too, until it has a new one', async () => {
    rmSync(path.join(system.dataDir, 'instance', facts.id), { recursive: true })
    const degraded = async () => {
      const { instance } = await system.api.instances.getInstance({ id: facts.id })
      return instance?.status?.conditions.find(({ type }) => type === 'Degraded')
    }
    await until('the loss is told', async () => (await degraded())?.reason === 'FOLDER_LOST', NOTICED_MS)
    expect((await system.cli('info', facts.id)).stdout).toMatch(/Degraded\s+TRUE\s+FOLDER_LOST: its folder was deleted/)
    expect((await exec(system.api, facts.id, ['true'])).code).toBe(0)
    const { operation } = await system.api.instances.restartInstance({ id: facts.id })
    await system.api.operations.waitOperation({ id: operation?.id, timeout: { seconds: 30n } })
    await until('the new start has lost nothing', async () => (await degraded()) === undefined, NOTICED_MS)
  })
})

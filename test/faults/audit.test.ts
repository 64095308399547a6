import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@berth/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { facts, layGround, sql, system, ULID, undo } from './orphans/ground.ts'
import { ofImages } from './orphans/of-images.ts'
import { ofNetworks, repairedOfNetworks } from './orphans/of-networks.ts'
import { ofVms } from './orphans/of-vms.ts'
import { ofVolumes } from './orphans/of-volumes.ts'
import { type Finding, type Orphan, orphan } from './orphans/orphan.ts'

let ground: AsyncDisposable
beforeAll(async () => {
  ground = await layGround()
})
afterEach(async () => {
  for (const take of undo.splice(0).toReversed()) await take()
})
afterAll(() => ground?.[Symbol.asyncDispose]())

async function audit(): Promise<Finding[]> {
  const { code, stdout, stderr } = await system().cli('doctor', '--audit', '-o', 'json')
  const { findings = [] } = JSON.parse(stdout || `{"findings":[{"name":${JSON.stringify(stderr)}}]}`) as { findings?: Finding[] }
  expect(code).toBe(findings.length > 0 ? 1 : 0)
  return findings.map(({ side, ...rest }) => ({ ...rest, side: side?.replace('FINDING_SIDE_', '') }))
}

async function mustBeNamed({ what, plant, finding }: Orphan): Promise<void> {
  await plant()
  expect(await audit(), what).toContainEqual(expect.objectContaining(finding()))
}

/**
 * For what the service repairs within seconds: on a host that is clean, everything is planted again and again while an audit looks. What was repaired
 * between two looks all the same is planted once more.
 */
async function mustAllBeNamed(orphans: readonly Orphan[]): Promise<void> {
  let unnamed = [...orphans]
  for (let attempt = 0; attempt < 4 && unnamed.length > 0; attempt += 1) {
    await untilClean()
    const looked = new AbortController()
    const keeping = keepPlanted(unnamed, looked.signal)
    const found = await audit().finally(() => looked.abort())
    await keeping
    unnamed = unnamed.filter(({ finding }) => !found.some((one) => matches(one, finding())))
  }
  expect(unnamed.map(({ what }) => what)).toEqual([])
}

async function keepPlanted(orphans: readonly Orphan[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { plant } of orphans) {
      try {
        plant()
      } catch {
        // It is so already.
      }
    }
    await delay(50, undefined, { signal }).catch(() => undefined)
  }
}

const matches = (found: Finding, wanted: Partial<Finding>) =>
  Object.entries(wanted).every(([key, value]) => found[key as keyof Finding] === value)

const untilClean = () =>
  until('the audit finds nothing', async () => (await system().api.audit.auditHost({})).findings.length === 0, 60_000)

it('a system at work is clean, and the audit says how much it compared', async () => {
  expect(await audit()).toEqual([])
  const { compared } = await system().api.audit.auditHost({})
  for (const kind of ['row', 'file', 'folder', 'process', 'bridge', 'tap', 'rule', 'address', 'lease']) {
    expect({ kind, counted: Number(compared[kind] ?? 0) > 0 }).toEqual({ kind, counted: true })
  }
})

describe('an orphan of every kind in each direction is named:', () => {
  it.each(ofVms)('of a VM, $what', (one) => mustBeNamed(one))
  it.each(ofVolumes)('of a volume, $what', (one) => mustBeNamed(one))
  it.each(ofImages)('of an image, $what', (one) => mustBeNamed(one))
  it.each(ofNetworks)('of a network, $what', (one) => mustBeNamed(one))
  it('of a network, what the service repairs within seconds, while it lasts', { timeout: 240_000 }, async () => {
    for (const group of repairedOfNetworks) await mustAllBeNamed(group)
  })
})

describe('what one service has for a resource of another', () => {
  const held = [
    { service: 'image', table: 'image.image_holds', slot: 'root' },
    { service: 'volume', table: 'volume.scratch_disks', slot: 'scratch' },
    { service: 'network', table: 'network.ports', slot: 'nic0' },
  ]
  const give = ({ table, slot }: (typeof held)[number], from: string, to: string) =>
    sql()`update ${sql()(table)} set owner_id = ${to} where owner_id = ${from} and owner_slot = ${slot}`
  const exchange = (one: (typeof held)[number]) => async () => {
    undo.push(() => give(one, `ins_${ULID}`, facts.running))
    await give(one, facts.running, `ins_${ULID}`)
  }

  it.each(held)('what the $service service holds for nobody is named, and who lacks it', async (one) => {
    const { service, slot } = one
    const finding = () => ({ service, side: 'HOST_ONLY', kind: 'grant', name: `ins_${ULID}/${slot}` })
    await mustBeNamed(orphan('held for nobody', exchange(one), finding))
    const lacking = () => ({ service, side: 'DATABASE_ONLY', kind: 'grant', name: `${facts.running}/${slot}` })
    await mustBeNamed(orphan('lacking', () => undefined, lacking))
  })
})

describe('what is of a device', () => {
  const service = 'device'
  it('a row without its function is named', () =>
    mustBeNamed(
      orphan(
        'a row',
        async () => {
          undo.push(() => sql()`delete from device.devices where id = ${`dev_${ULID}`}`)
          const state = { address: '00ff:00:00.0', present: true }
          await sql()`insert into device.devices (id, project, name, spec, status, host, creator, address, facts)
            values (${`dev_${ULID}`}, 'default', 'planted', '{}', ${state as never}, ${facts.host}, 'test', '00ff:00:00.0', '{}') on conflict do nothing`
        },
        () => ({ service, side: 'DATABASE_ONLY', name: '00ff:00:00.0', resourceId: `dev_${ULID}` }),
      ),
    ))
})

it('after all this, what the services could repair is repaired, and the host is clean again', async () => {
  await untilClean()
  expect(await audit()).toEqual([])
})

import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@berth/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestHost, ownerNumber, type RunningService, type TestHost } from './service-fixture.ts'

let world: TestHost
let service: RunningService
let failpoints: string

beforeAll(async () => {
  world = await createTestHost()
  failpoints = join(world.dataDir, 'failpoints')
  await writeFile(failpoints, '')
  service = await world.start({ env: { BERTH_FAILPOINTS_FILE: failpoints } })
})
afterAll(async () => {
  await service?.[Symbol.asyncDispose]()
  await world?.[Symbol.asyncDispose]()
})

const wish = (index: number) => ({
  owner: ownerNumber(index),
  project: 'default',
  actor: 'test',
  network: '',
  uid: 900_000 + index,
  up: true,
  hostname: `vm${index}`,
})

/** Holds work at a failpoint, looks at the host there, and lets it go on. */
async function heldAt(name: string, work: () => Promise<unknown>, look: () => Promise<void>): Promise<void> {
  await rm(`${failpoints}.hits`, { force: true })
  await writeFile(failpoints, `network.port.${name}=stall\n`)
  const working = work()
  working.catch(() => undefined)
  try {
    await until(`${name} is reached`, () => existsSync(`${failpoints}.hits`))
    await look()
  } finally {
    await writeFile(failpoints, '')
  }
  await working
}

/** Flags of the taps that are there, by name. */
async function taps(): Promise<{ ifname: string; flags: string[] }[]> {
  const links = JSON.parse(await world.space.must('ip', '-j', 'link', 'show', 'type', 'tun')) as { ifname?: string; flags?: string[] }[]
  return links.flatMap(({ ifname, flags = [] }) => (ifname === undefined ? [] : [{ ifname, flags }]))
}

it.each([
  'ensure.rules.before',
  'ensure.rules.after',
  'ensure.up.before',
])('a tap goes up only when its rules stand: seen at %s', async (point) => {
  const look = async () => {
    const there = await taps()
    expect(there).toHaveLength(1)
    expect(there[0]?.flags).not.toContain('UP')
    if (point !== 'ensure.rules.before') expect(await world.space.must('nft', 'list', 'ruleset')).toContain(`"${there[0]?.ifname}"`)
  }
  await heldAt(point, () => service.host.ensurePort(wish(1)), look)
  expect((await taps())[0]?.flags).toContain('UP')
  await service.host.releasePort({ owner: ownerNumber(1) })
  expect(await taps()).toEqual([])
})

it('a port that stays down is a tap without rules; it gets them as it goes up, and keeps them when it is taken down', async () => {
  const ruled = async (tap: string) => (await world.space.must('nft', 'list', 'ruleset')).includes(`"${tap}"`)
  const audited = async () => (await service.audits.auditHost({})).findings.filter(({ kind }) => kind === 'rule')
  const made = await service.host.ensurePort({ ...wish(4), up: false })
  const tap = made.port?.status?.tap ?? ''
  expect(await ruled(tap)).toBe(false)
  expect(await audited()).toEqual([])
  await service.host.ensurePort(wish(4))
  expect(await ruled(tap)).toBe(true)
  await service.host.ensurePort({ ...wish(4), up: false })
  expect((await taps())[0]?.flags).not.toContain('UP')
  expect(await audited()).toEqual([])
  await service.host.releasePort({ owner: ownerNumber(4) })
  expect(await ruled(tap)).toBe(false)
})

it.each([
  'release.tap.before',
  'release.rules.before',
  'release.remove.before',
])('an address is free only when its tap is gone: seen at %s', async (point) => {
  const first = await service.host.ensurePort(wish(1))
  const address = first.port?.status?.ipv4Address
  const look = async () => {
    expect(await taps()).toHaveLength(point === 'release.tap.before' ? 1 : 0)
    const { port } = await service.host.ensurePort(wish(2))
    expect(port?.status?.ipv4Address).not.toBe(address)
    await writeFile(failpoints, '')
    await service.host.releasePort({ owner: ownerNumber(2) })
  }
  await heldAt(point, () => service.host.releasePort({ owner: ownerNumber(1) }), look)
  expect((await service.host.ensurePort(wish(3))).port?.status?.ipv4Address).toBe(address)
  await service.host.releasePort({ owner: ownerNumber(3) })
})

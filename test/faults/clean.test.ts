import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { openApi } from '@berth/cli/api'
import { FindingSide, RemovalOutcome } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { create, ended, exec } from '../support/guest.ts'
import { data, facts, file, layGround, sh, sql, system, undo } from './orphans/ground.ts'
import { ofImages } from './orphans/of-images.ts'
import { ofNetworks } from './orphans/of-networks.ts'
import { ofVms } from './orphans/of-vms.ts'
import { ofVolumes } from './orphans/of-volumes.ts'
import type { Finding } from './orphans/orphan.ts'

let ground: AsyncDisposable
beforeAll(async () => {
  ground = await layGround()
})
afterEach(async () => {
  for (const take of undo.splice(0).toReversed()) await take()
})
afterAll(() => ground?.[Symbol.asyncDispose]())

interface Cleaned {
  readonly code: number
  readonly stderr: string
  readonly removals: { finding: Finding; outcome: string; message: string }[]
}

/** Runs `berth doctor --clean`. */
async function clean(...words: string[]): Promise<Cleaned> {
  const { code, stdout, stderr } = await system().cli('doctor', '--clean', ...words, '-o', 'json')
  const { removals = [] } = JSON.parse(stdout || '{}') as { removals?: { finding: Finding; outcome: string; message?: string }[] }
  return { code, stderr, removals: removals.map(({ message = '', outcome, finding }) => ({ finding, message, outcome: short(outcome) })) }
}
const short = (outcome: string) => outcome.replace('REMOVAL_OUTCOME_', '')
const outcomes = ({ removals }: Cleaned) => [...new Set(removals.map(({ outcome }) => outcome))]
const found = async () => (await system().api.audit.auditHost({})).findings
const names = (findings: readonly { service: string; kind: string; name: string }[]) =>
  findings.map(({ service, kind, name }) => `${service} ${kind} ${name}`).toSorted()
const untilClean = () => until('the audit finds nothing', async () => (await found()).length === 0, 30_000)

/** What live VMs need, as text: it must be the same before and after. */
const living = () =>
  sh(
    'sh',
    '-c',
    `ip -o link show dev ${facts.tap} | cut -d' ' -f2,16-; nft list set bridge ${facts.table} macs; ip neigh show nud permanent dev ${facts.bridge} | sort`,
  )

/** The `/sys` at hand may be another namespace’s. */
const hasLink = (name: string) => sh('ip', '-br', 'link', 'show').includes(name)

/** One orphan of every kind that the audit knows. */
async function plantAll(): Promise<string[]> {
  const orphans = [...ofVms, ...ofVolumes, ...ofImages, ...ofNetworks].filter(({ finding }) => finding().side === 'HOST_ONLY')
  for (const { plant } of orphans) await plant()
  const findings = await until('all are found', async () => {
    const all = await found()
    return all.length >= orphans.length && all
  })
  expect(findings.every(({ side }) => side === FindingSide.HOST_ONLY)).toBe(true)
  expect(findings).toHaveLength(orphans.length)
  return names(findings)
}

it('removes one orphan of every kind, and nothing else; not over the bound, and no VM that runs, unless it is told to', async () => {
  const before = living()
  const planted = await plantAll()

  const shown = await clean('--dry-run', '--include-running')
  expect(shown).toMatchObject({ code: 0, stderr: expect.stringContaining(`--max-removals ${planted.length}`) })
  expect(outcomes(shown)).toEqual(['PLANNED'])
  expect(names(shown.removals.map(({ finding }) => finding))).toEqual(planted)

  const refused = await clean('--include-running')
  expect(refused).toMatchObject({ code: 73, removals: [], stderr: expect.stringContaining(`--max-removals ${planted.length}`) })
  const metadata = { found: String(planted.length), limit: '10' }
  await expect(system().api.audit.cleanHost({ includeRunning: true })).rejects.toMatchObject({ reason: 'TOO_MANY_REMOVALS', metadata })
  expect(names(await found())).toEqual(planted)

  const spared = await clean('--max-removals', '100')
  expect([spared.code, outcomes(spared)]).toEqual([1, ['KEPT']])
  expect(names(await found())).toEqual(planted)

  const done = await clean('--include-running', '--max-removals', String(planted.length))
  expect(done.removals.filter(({ outcome }) => outcome !== 'REMOVED')).toEqual([])
  expect([done.code, names(done.removals.map(({ finding }) => finding))]).toEqual([0, planted])
  expect(await found()).toEqual([])
  expect(await clean()).toMatchObject({ code: 0, removals: [] })

  expect(living()).toBe(before)
  expect(await exec(system().api, facts.running, ['echo', 'here'])).toMatchObject({ code: 0 })
  expect(existsSync(path.join(facts.pool, `${facts.volume}.raw`))).toBe(true)
  await ended(system().api, (await system().api.instances.startInstance({ id: facts.stopped })).operation, OperationState.DONE)
})

it('keeps a VM that the database has forgotten, with disk and port, until it is told to end it', async () => {
  const { image } = (await system().api.instances.getInstance({ id: facts.running })).instance?.spec?.boot.value ?? { image: '' }
  const { id } = await create(system().api, 'forgotten', String(image))
  const [disk] = await sql()`select id from volume.scratch_disks where owner_id = ${id}`
  const [port] = await sql()`select tap, ipv4 from network.ports where owner_id = ${id}`
  const tap = String(port?.['tap'])
  const raw = path.join(facts.pool, `${disk?.['id']}.raw`)
  for (const [table, column] of Object.entries({
    'volume.attachments': 'owner_id',
    'volume.scratch_disks': 'owner_id',
    'network.ports': 'owner_id',
    'image.image_holds': 'owner_id',
    'instance.operations': 'resource_id',
    'instance.instances': 'id',
  }))
    await sql()`delete from ${sql()(table)} where ${sql()(column)} = ${id}`

  const kept = await clean('--max-removals', '100')
  expect([kept.code, outcomes(kept)]).toEqual([1, ['KEPT']])
  expect(kept.removals.map(({ finding }) => finding.name)).toEqual(expect.arrayContaining([`paper ${id}`, tap, path.basename(raw)]))
  expect([existsSync(raw), hasLink(tap), existsSync(data('instance', id))]).toEqual([true, true, true])

  const done = await clean('--include-running', '--max-removals', '100')
  expect(done.removals.filter(({ outcome }) => outcome !== 'REMOVED')).toEqual([])
  expect([existsSync(raw), hasLink(tap), existsSync(data('instance', id))]).toEqual([false, false, false])
  const trail = readFileSync(data('instance', 'recorder.jsonl'), 'utf8').split('\n')
  expect(trail.filter((line) => line.includes(id) && line.includes('"exited"'))).toHaveLength(1)
  expect(await found()).toEqual([])
})

it('keeps what is not of Berth’s making, and what somebody has open', async () => {
  const pool = path.relative(system().dataDir, facts.pool)
  const disk = `vol_${'0'.repeat(26)}.raw`
  file('image/blobs/sha256', 'notes.txt')
  for (const name of ['notes.txt', disk]) file(pool, name)
  const open = openSync(path.join(facts.pool, disk), 'r')
  undo.push(() => closeSync(open))
  const { code, removals } = await clean()
  expect(removals.map(({ finding, outcome, message }) => [finding.name, outcome, message].join(' ')).toSorted()).toEqual([
    'blobs/sha256/notes.txt KEPT it does not look as if Berth had made it',
    'notes.txt KEPT it does not look as if Berth had made it',
    `${disk} KEPT process ${process.pid} has it open`,
  ])
  expect([code, readFileSync(path.join(facts.pool, 'notes.txt'), 'utf8')]).toEqual([1, 'planted'])
})

describe('a service', () => {
  async function direct(audience: string, port: number) {
    const { token } = await system().api.access.createToken({ audience })
    const api = openApi({ endpoint: `127.0.0.1:${port + system().port - 7000}`, token })
    undo.push(() => api.close())
    return api
  }

  it('removes nothing only because it is named', async () => {
    const volume = await direct('volume', 7012)
    const name = `${facts.volume}.raw`
    const { removals } = await volume.audit.cleanHost({
      findings: [
        { service: 'volume', kind: 'file', name },
        { service: 'volume', kind: 'file', name: '../../host.json' },
      ],
    })
    expect(removals.map(({ message }) => message)).toEqual(['it is gone, or has a row', 'it is gone, or has a row'])
    expect([existsSync(path.join(facts.pool, name)), existsSync(data('host.json'))]).toEqual([true, true])
  })

  it('is told what to remove', async () => {
    const image = await direct('image', 7011)
    await expect(image.audit.cleanHost({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'NOTHING_NAMED' })
    await expect(image.audit.cleanHost({ host: 'hst_other' })).rejects.toMatchObject({ reason: 'WRONG_HOST' })
  })
})

it('never removes what is being made', async () => {
  const { image } = (await system().api.instances.getInstance({ id: facts.running })).instance?.spec?.boot.value ?? { image: '' }
  let busy = true
  const making = Promise.all(['one', 'two', 'three'].map((name) => create(system().api, name, String(image)))).finally(() => (busy = false))
  while (busy) {
    const { removals } = await system().api.audit.cleanHost({ maxRemovals: 1000, includeRunning: true })
    expect(removals.filter(({ outcome }) => outcome !== RemovalOutcome.KEPT)).toEqual([])
  }
  expect(await making).toHaveLength(3)
  await untilClean()
})

describe.each([
  ['foreign', () => sql()`update volume.cluster set id = 'clu_other'`, (id: string) => sql()`update volume.cluster set id = ${id}`],
  ['empty', () => sql()`alter table volume.cluster rename to away`, () => sql()`alter table volume.away rename to cluster`],
])('at a database that is %s', (_, change, back) => {
  it('audit and clean-up stop, and nothing is touched', async () => {
    const orphan = path.join(facts.pool, `vol_${'0'.repeat(26)}.raw`)
    file(path.relative(system().dataDir, facts.pool), path.basename(orphan))
    const [row] = await sql()`select id from volume.cluster`
    await change()
    undo.push(() => back(String(row?.['id'])))
    for (const word of ['--audit', '--clean']) {
      const { code, stdout, stderr } = await system().cli('doctor', word)
      expect({ word, code, stdout }).toEqual({ word, code: 73, stdout: '' })
      expect(stderr).toContain('FOREIGN_DATABASE')
    }
    expect(existsSync(orphan)).toBe(true)
  })
})

it('says what goes with what on the command line', async () => {
  for (const words of [['--dry-run'], ['--include-running'], ['--audit', '--clean'], ['--clean', '--max-removals', 'many']]) {
    const { code, stdout } = await system().cli('doctor', ...words)
    expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: '' })
  }
})

import { chmodSync, chownSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { gibibyte, mebibyte, openWorld, ownerOf, type World } from './fixture.ts'

let world: World
let service: Awaited<ReturnType<World['start']>>
let api: Awaited<ReturnType<World['connect']>>
let file: string
const names = () => readFileSync(`${file}.names.volume`, 'utf8').trim().split('\n')
const arm = (line: string) => writeFileSync(file, `${line}\n`)
const begin = async () => {
  service = await world.start({ failpointsFile: file })
  api = await world.connect(service.port)
}
const end = async () => {
  api?.[Symbol.dispose]()
  await service?.[Symbol.asyncDispose]()
}
beforeAll(async () => {
  world = await openWorld()
  file = path.join(world.dataDir, 'failpoints')
  writeFileSync(file, '')
  await begin()
})
beforeEach(() => arm(''))
afterAll(async () => {
  await end()
  await world?.[Symbol.asyncDispose]()
})

const ensure = (n: number) =>
  api.host.ensureVolume({
    owner: ownerOf(n),
    project: 'default',
    actor: 'key_test',
    uid: 64_000 + n,
    source: { case: 'scratch', value: { sizeBytes: BigInt(16 * mebibyte) } },
  })
const create = (name: string) => api.volumes.createVolume({ name, sizeBytes: BigInt(gibibyte) })
const findings = async () =>
  (await api.audit.auditHost({})).findings.map(({ side, kind, name }) => {
    const word = Object.entries(FindingSide).find(([, number]) => number === side)?.[0]
    return `${word} ${kind} ${name}`
  })
const rows = async () => (await world.database.sql('select id from volume.volumes union all select id from volume.scratch_disks')).length
const files = () => readdirSync(world.poolDir).filter((name) => name !== 'templates')
const nothingLeft = async () =>
  expect({ rows: await rows(), files: files(), findings: await findings() }).toEqual({ rows: 0, files: [], findings: [] })
const stateOf = (n: number | undefined) => Object.entries(OperationState).find(([, number]) => number === n)?.[0]

describe('failpoints', () => {
  it('lie before and after every step', () => {
    expect(names().length).toBeGreaterThanOrEqual(20)
    expect(names()).toContain('volume.ensure.clone.after')
  })

  it('leave nothing behind when a creation fails at any of them', async () => {
    for (const name of names().filter((one) => one.startsWith('volume.create.'))) {
      arm(`${name}=error`)
      const { operation } = await create('doomed')
      const last = await api.ended(operation)
      // The record is written when the last failpoint strikes: what is recorded stands.
      if (name === 'volume.create.record.after') {
        expect([name, stateOf(last?.state)]).toEqual([name, 'DONE'])
        arm('')
        await api.ended((await api.volumes.deleteVolume({ id: 'doomed' })).operation)
      } else {
        expect([name, stateOf(last?.state), last?.error?.message]).toEqual([name, 'FAILED', expect.stringContaining(name)])
      }
      arm('')
      await nothingLeft()
    }
  })

  it('leave nothing behind when an owner gives up at any of them and releases', async () => {
    for (const name of names().filter((one) => one.startsWith('volume.ensure.'))) {
      arm(`${name}=error`)
      await expect(ensure(1), name).rejects.toMatchObject({ reason: 'FAILPOINT' })
      arm('')
      await api.host.releaseVolume({ owner: ownerOf(1) })
      await nothingLeft()
    }
  })

  it('are passed by the same call made again', async () => {
    for (const name of names().filter((one) => one.startsWith('volume.ensure.') || one.startsWith('volume.release.'))) {
      arm(`${name}=error *1`)
      await ensure(2).catch(() => ensure(2))
      await api.host.releaseVolume({ owner: ownerOf(2) }).catch(() => api.host.releaseVolume({ owner: ownerOf(2) }))
      arm('')
      await nothingLeft()
    }
  })

  it('end clean when a creation is cancelled or deleted while it is stalled there', async () => {
    for (const name of names().filter((one) => one.startsWith('volume.create.') && one !== 'volume.create.record.after')) {
      arm(`${name}=stall`)
      const { operation } = await create('stalled')
      await api.operations.cancelOperation({ id: operation?.id ?? '' })
      expect([name, stateOf((await api.ended(operation))?.state)]).toEqual([name, 'CANCELLED'])
      const second = await create('stalled')
      const removal = await api.volumes.deleteVolume({ id: 'stalled' })
      expect([name, stateOf((await api.ended(removal.operation))?.state)]).toEqual([name, 'DONE'])
      expect([name, stateOf((await api.ended(second.operation))?.state)]).toEqual([name, 'CANCELLED'])
      arm('')
      await nothingLeft()
    }
  })

  it('do not hold up the release of a disk whose making is stalled', async () => {
    for (const name of names().filter((one) => /^volume\.ensure\.(clone|grant|record)\.before/.test(one))) {
      arm(`${name}=stall`)
      const stalled = ensure(3).then(
        () => 'ready',
        () => 'given up',
      )
      await until('the row is there', async () => (await rows()) === 1)
      await api.host.releaseVolume({ owner: ownerOf(3) })
      expect([name, await stalled]).toEqual([name, 'given up'])
      arm('')
      await nothingLeft()
    }
  })
})

describe('a service that starts again', () => {
  it('goes on with what was begun: creation, scratch disk and removal', async () => {
    arm('volume.create.make.before=stall')
    const { operation } = await create('begun')
    await end()
    arm('')
    await begin()
    expect(stateOf((await api.ended(operation))?.state)).toBe('DONE')
    arm('volume.release.remove.before=stall')
    const removal = await api.volumes.deleteVolume({ id: 'begun' })
    await end()
    arm('')
    await begin()
    expect(stateOf((await api.ended(removal.operation))?.state)).toBe('DONE')
    await nothingLeft()
  })

  it('puts right what was changed behind its back, but deletes nothing it does not know', async () => {
    const { volume } = await ensure(4)
    const disk = path.join(world.poolDir, `${volume?.id}.raw`)
    await end()
    chownSync(disk, 0, 0)
    writeFileSync(path.join(world.poolDir, 'vol_00000000000000000000000000.raw'), 'somebody’s')
    await begin()
    const { grant } = await ensure(4)
    expect(grant?.epoch).toBeGreaterThan(1n)
    expect(await findings()).toEqual(['HOST_ONLY file vol_00000000000000000000000000.raw'])
    rmSync(path.join(world.poolDir, 'vol_00000000000000000000000000.raw'))
    await api.host.releaseVolume({ owner: ownerOf(4) })
    await nothingLeft()
  })
})

describe('the audit', () => {
  it('names one disagreement of every kind, in both directions, and says what it compared', async () => {
    const ids = []
    for (const n of [11, 12, 13, 14]) ids.push((await ensure(n)).volume?.id)
    const [lost, resized, opened, free] = ids.map((id) => path.join(world.poolDir, `${id}.raw`))
    renameSync(lost ?? '', path.join(world.dataDir, 'aside'))
    truncateSync(resized ?? '', 4096)
    chmodSync(opened ?? '', 0o666)
    writeFileSync(path.join(world.poolDir, 'stranger'), '')
    writeFileSync(`${free}.tmp`, '')
    await world.database.sql(`insert into volume.attachments (owner_kind, owner_id, owner_slot, disk_id, host, uid, read_only, epoch)
      values ('instance', 'ins_x', 'disk0', 'vol_x', '${service.hostId}', 1, false, 1)`)
    await world.database.sql(`insert into volume.attachments (owner_kind, owner_id, owner_slot, disk_id, host, uid, read_only, epoch)
      values ('instance', 'ins_y', 'disk0', 'vol_y', 'hst_other', 1, false, 1)`)
    await world.database.sql(`update volume.scratch_disks set status = status || '{"writer": "ins_z"}' where id = '${ids[3]}'`)
    expect((await findings()).toSorted()).toEqual(
      [
        'DATABASE_ONLY lease instance/ins_x/disk0',
        `DATABASE_ONLY row ${ids[0]}`,
        'HOST_ONLY file stranger',
        `HOST_ONLY file ${ids[3]}.raw.tmp`,
        `MISMATCH file ${ids[1]}`,
        `MISMATCH grant ${ids[2]}`,
        `MISMATCH lease ${ids[3]}`,
      ].toSorted(),
    )
    const { compared, host } = await api.audit.auditHost({})
    expect({ compared, host }).toEqual({ compared: { file: 5n, row: 4n, lease: 5n }, host: service.hostId })
    await expect(api.audit.auditHost({ host: 'hst_other' })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'WRONG_HOST' })
  })
})

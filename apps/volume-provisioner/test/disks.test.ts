import { readdirSync, statSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import path from 'node:path'
import { VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { done, gibibyte, mebibyte, openWorld, ownerOf, type World } from './fixture.ts'

let world: World
let service: Awaited<ReturnType<World['start']>>
let api: Awaited<ReturnType<World['connect']>>
beforeAll(async () => {
  world = await openWorld()
  service = await world.start()
  api = await world.connect(service.port)
})
afterAll(async () => {
  api?.[Symbol.dispose]()
  await service?.[Symbol.asyncDispose]()
  await world?.[Symbol.asyncDispose]()
})

const files = () => readdirSync(world.poolDir).filter((name) => name !== 'templates')
const fileOf = (id: string | undefined) => path.join(world.poolDir, `${id}.raw`)
const claim = (n: number, slot = 'scratch') => ({ owner: ownerOf(n, slot), project: 'default', actor: 'key_test', uid: 64_000 + n })
const scratch = (n: number, sizeBytes = 8 * gibibyte) =>
  api.host.ensureVolume({ ...claim(n), source: { case: 'scratch', value: { sizeBytes: BigInt(sizeBytes) } } })
const take = (n: number, volume: string, readOnly = false) =>
  api.host.ensureVolume({ ...claim(n, 'disk0'), source: { case: 'volume', value: volume }, readOnly })
const createReady = async (name: string) => {
  const { volume, operation } = await api.volumes.createVolume({ name, sizeBytes: BigInt(gibibyte) })
  expect(await api.ended(operation)).toMatchObject({ state: done })
  return volume?.id
}
const clean = async () => (await api.audit.auditHost({})).findings.map(({ kind, name, message }) => `${kind} ${name} ${message}`)

describe('scratch disks', () => {
  it('are made once per owner and granted to the VM, in two transactions', async () => {
    await scratch(1)
    const before = service.db.metrics()
    const { volume, grant } = await scratch(2)
    expect(volume?.status).toMatchObject({ state: VolumeState.READY, writer: ownerOf(2).id })
    expect(volume?.status?.method).toMatch(/^(reflink|sparse-copy)$/)
    expect(grant).toMatchObject({ target: { case: 'path', value: fileOf(volume?.id) }, readOnly: false, epoch: 1n })
    expect(statSync(fileOf(volume?.id))).toMatchObject({ size: 8 * gibibyte, uid: 64_002, gid: 64_002 })
    const spent = Object.entries(service.db.metrics()).map(([purpose, { committed }]) => [
      purpose,
      committed - (before[purpose]?.committed ?? 0),
    ])
    expect(Object.fromEntries(spent.filter(([purpose, count]) => count && /volume|scratch/.test(String(purpose))))).toEqual({
      'volume.ensure': 1,
      'scratch.record': 1,
    })
    const answers = await Promise.all(Array.from({ length: 5 }, () => scratch(2)))
    expect(new Set(answers.map((answer) => answer.volume?.id))).toEqual(new Set([volume?.id]))
  })

  it('are gone when the owner gives up in the midst of it and releases', async () => {
    for (let round = 0; round < 40; round += 1) {
      const owner = ownerOf(1000 + round)
      const givingUp = new AbortController()
      const request = { ...claim(1000 + round), source: { case: 'scratch' as const, value: { sizeBytes: BigInt(gibibyte) } } }
      const ensuring = api.host.ensureVolume(request, { signal: givingUp.signal }).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, round / 8))
      givingUp.abort()
      await ensuring
      await api.host.releaseVolume({ owner })
      expect((await api.audit.auditHost({})).holdings.filter(({ ownerId }) => ownerId === owner.id)).toEqual([])
    }
  })

  it('come out as one when asked for many times at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => scratch(3)))
    expect(new Set(answers.map(({ volume }) => volume?.id)).size).toBe(1)
    expect(await world.database.sql(`select 1 from volume.scratch_disks where owner_id = '${ownerOf(3).id}'`)).toHaveLength(1)
  })

  it('are not the project’s: neither get nor list nor delete knows them', async () => {
    const { volume } = await scratch(2)
    await expect(api.volumes.getVolume({ id: volume?.id ?? '' })).rejects.toMatchObject({ reason: 'VOLUME_NOT_FOUND' })
    await expect(api.volumes.deleteVolume({ id: volume?.id ?? '' })).rejects.toMatchObject({ reason: 'VOLUME_NOT_FOUND' })
    expect((await api.volumes.listVolumes({})).volumes.map(({ id }) => id)).not.toContain(volume?.id)
  })

  it('keep their bytes when detached, closed to the VM, and are granted again', async () => {
    const { volume } = await scratch(2)
    await api.host.detachVolume({ owner: ownerOf(2) })
    expect(statSync(fileOf(volume?.id))).toMatchObject({ uid: 0, gid: 0 })
    expect(await clean()).toEqual([])
    expect((await scratch(2)).volume?.id).toBe(volume?.id)
    expect(statSync(fileOf(volume?.id)).uid).toBe(64_002)
  })

  it('are gone when released, with row and lease, and releasing again is fine', async () => {
    const { volume } = await scratch(4)
    for (const owner of [ownerOf(4), ownerOf(4), ownerOf(999)]) await api.host.releaseVolume({ owner })
    await api.host.detachVolume({ owner: ownerOf(999) })
    expect(files()).not.toContain(`${volume?.id}.raw`)
    expect(await world.database.sql(`select 1 from volume.scratch_disks where id = '${volume?.id}'`)).toEqual([])
    expect(await world.database.sql(`select 1 from volume.attachments where disk_id = '${volume?.id}'`)).toEqual([])
    expect((await scratch(4)).volume?.id).not.toBe(volume?.id)
  })

  it('refuse sizes that are no whole blocks, or another than before', async () => {
    await expect(scratch(5, 16 * mebibyte + 1)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [expect.objectContaining({ field: 'scratch.size_bytes' })],
    })
    await expect(scratch(5, 4096)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await scratch(5, 16 * mebibyte)
    await expect(scratch(5, 32 * mebibyte)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'SIZE_DIFFERS' })
  })

  it('are refused when the pool is full, and leave nothing after their release', async () => {
    await using full = await openWorld({ reserveBytes: Number.MAX_SAFE_INTEGER })
    await using other = await full.start()
    using client = await full.connect(other.port)
    const source = { case: 'scratch' as const, value: { sizeBytes: BigInt(gibibyte) } }
    await expect(client.host.ensureVolume({ ...claim(1), source })).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'POOL_FULL',
    })
    await client.host.releaseVolume({ owner: ownerOf(1) })
    expect((await client.audit.auditHost({})).findings).toEqual([])
    expect(await full.database.sql('select 1 from volume.scratch_disks union all select 1 from volume.attachments')).toEqual([])
  })

  it('are never made again when their file is lost: the loss is said', async () => {
    const { volume } = await scratch(6)
    await rename(fileOf(volume?.id), `${world.dataDir}/aside`)
    await expect(scratch(6)).rejects.toMatchObject({ code: 'DATA_LOSS', reason: 'VOLUME_LOST' })
    expect(files()).not.toContain(`${volume?.id}.raw`)
    await rename(`${world.dataDir}/aside`, fileOf(volume?.id))
    expect((await scratch(6)).volume?.status?.state).toBe(VolumeState.READY)
  })
})

describe('volumes of the project', () => {
  it('have one writer at a time, and say who it is', async () => {
    const id = await createReady('one-writer')
    await take(11, 'one-writer')
    expect(statSync(fileOf(id))).toMatchObject({ uid: 64_011, gid: 64_011 })
    expect((await api.volumes.getVolume({ id: 'one-writer' })).volume?.status?.writer).toBe(ownerOf(11).id)
    const inUse = { code: 'FAILED_PRECONDITION', reason: 'VOLUME_IN_USE', metadata: { instance: ownerOf(11).id } }
    await expect(take(12, 'one-writer')).rejects.toMatchObject(inUse)
    await expect(take(12, 'one-writer', true)).rejects.toMatchObject(inUse)
    await expect(api.volumes.deleteVolume({ id: 'one-writer' })).rejects.toMatchObject(inUse)
    await api.host.releaseVolume({ owner: ownerOf(11, 'disk0') })
    expect(statSync(fileOf(id)).uid).toBe(0)
    expect((await api.volumes.getVolume({ id: 'one-writer' })).volume?.status?.writer).toBe('')
    await take(12, 'one-writer')
    await api.host.detachVolume({ owner: ownerOf(12, 'disk0') })
    expect(await api.ended((await api.volumes.deleteVolume({ id: 'one-writer' })).operation)).toMatchObject({ state: done })
  })

  it('have one writer of many that come at once', async () => {
    await createReady('contested')
    const answers = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => take(20 + n, 'contested')))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await clean()).toEqual([])
  })

  it('have one writer by the database too, whatever the code thinks', async () => {
    const values = (n: number) => `('instance', 'ins_${n}', 'd', 'vol_x', 'hst_x', 1, false, 1)`
    const insert = `insert into volume.attachments (owner_kind, owner_id, owner_slot, disk_id, host, uid, read_only, epoch) values`
    await expect(world.database.sql(`${insert} ${values(1)}, ${values(2)}`)).rejects.toMatchObject({
      constraint_name: 'attachments_writer_key',
    })
  })

  it('are shared by readers, none of which can write', async () => {
    const id = await createReady('shared')
    const { grant } = await take(41, 'shared', true)
    expect(grant?.readOnly).toBe(true)
    expect(statSync(fileOf(id))).toMatchObject({ uid: 0, gid: 64_041 })
    expect(statSync(fileOf(id)).mode & 0o777).toBe(0o440)
    await take(42, 'shared', true)
    expect(statSync(fileOf(id)).mode & 0o777).toBe(0o444)
    await api.host.releaseVolume({ owner: ownerOf(41, 'disk0') })
    expect(statSync(fileOf(id))).toMatchObject({ uid: 0, gid: 64_042 })
    expect(await clean()).toEqual([])
  })

  it('are refused to the VMs of another host', async () => {
    await createReady('elsewhere')
    await world.database.sql(`update volume.volumes set host = 'hst_other' where name = 'elsewhere'`)
    await expect(take(50, 'elsewhere')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'VOLUME_ON_OTHER_HOST' })
  })
})

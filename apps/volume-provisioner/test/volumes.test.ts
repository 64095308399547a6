import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { tableDifferences } from '@berth/db'
import { VolumeState, WatchVolumesResponse_Type as Type } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tables } from '../src/store/tables.ts'
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

const nameOf = (words: Record<string, number>, value: number | undefined) =>
  Object.entries(words).find(([, number]) => number === value)?.[0]
const files = () => readdirSync(world.poolDir).filter((name) => name !== 'templates')
const createReady = async (name: string, sizeBytes = BigInt(gibibyte)) => {
  const { volume, operation } = await api.volumes.createVolume({ name, sizeBytes })
  expect(await api.ended(operation)).toMatchObject({ state: done })
  return volume?.id ?? ''
}

describe('volumes of a project', () => {
  it('has the tables that its migrations make', async () => {
    expect(await tableDifferences(service.db, tables)).toEqual([])
  })

  it('are made as sparse files, listed, and removed with their bytes', async () => {
    const id = await createReady('data')
    const { volume } = await api.volumes.getVolume({ id: 'data' })
    expect(volume).toMatchObject({ id, project: 'default', host: service.hostId, creator: 'key_test', etag: '1' })
    expect(volume?.status).toMatchObject({ state: VolumeState.READY, method: 'sparse', observedGeneration: 1n, writer: '' })
    expect(volume?.status?.methodReason).not.toBe('')
    expect(statSync(path.join(world.poolDir, `${id}.raw`))).toMatchObject({ size: gibibyte, blocks: 0, uid: 0 })
    expect((await api.volumes.listVolumes({ filter: 'state=READY' })).volumes.map(({ name }) => name)).toContain('data')
    const { operation, volume: going } = await api.volumes.deleteVolume({ id })
    expect(going?.deleteTime).toBeDefined()
    expect(await api.ended(operation)).toMatchObject({ state: done, kind: 'volume.delete', attempts: 1 })
    await expect(api.volumes.getVolume({ id })).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'VOLUME_NOT_FOUND' })
    expect(files()).not.toContain(`${id}.raw`)
  })

  it('say what is wrong with a request, by code, reason and field', async () => {
    type Given = { name?: string; sizeBytes?: bigint; pool?: string; host?: string }
    const create = (given: Given) => api.volumes.createVolume({ name: 'x', sizeBytes: BigInt(gibibyte), ...given })
    const field = (name: string) => ({ violations: [expect.objectContaining({ field: name })] })
    await expect(create({ sizeBytes: 0n })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', ...field('size_bytes') })
    await expect(create({ sizeBytes: BigInt(gibibyte) + 1n })).rejects.toMatchObject({ reason: 'SIZE_NOT_ALIGNED', ...field('size_bytes') })
    await expect(create({ name: 'Not A Name' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', ...field('name') })
    await expect(create({ pool: 'fast' })).rejects.toMatchObject({ reason: 'POOL_UNKNOWN', ...field('pool') })
    await expect(create({ host: 'hst_nowhere' })).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'HOST_NOT_FOUND', ...field('host') })
    await expect(create({ sizeBytes: 64n * 1024n ** 4n })).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'POOL_FULL',
      metadata: { pool: 'default' },
    })
    await createReady('twice')
    await expect(create({ name: 'twice' })).rejects.toMatchObject({ code: 'ALREADY_EXISTS', reason: 'NAME_TAKEN' })
    await expect(api.volumes.deleteVolume({ id: 'twice', etag: '7' })).rejects.toMatchObject({ code: 'ABORTED', reason: 'STALE_ETAG' })
  })

  it('are counted among the transactions that the metrics show', async () => {
    const at = `http://127.0.0.1:${service.healthPort}`
    expect(await (await fetch(`${at}/readyz`)).json()).toEqual({ ready: true, host: true, database: true })
    expect(await (await fetch(`${at}/metrics`)).text()).toMatch(
      /^berth_db_transactions_total\{purpose="volume\.create",outcome="committed"\} [1-9]/m,
    )
  })

  it('give a repeated request the same volume and operation', async () => {
    const request = { name: 'once', sizeBytes: BigInt(mebibyte), requestId: 'r-1' }
    const answers = await Promise.all(Array.from({ length: 10 }, () => api.volumes.createVolume(request)))
    expect(new Set(answers.map(({ volume }) => volume?.id)).size).toBe(1)
    expect(new Set(answers.map(({ operation }) => operation?.id)).size).toBe(1)
  })

  it('are unknown to other projects', async () => {
    const id = await createReady('private')
    using other = await world.connect(service.port, 'other')
    await expect(other.volumes.getVolume({ id })).rejects.toMatchObject({ reason: 'VOLUME_NOT_FOUND' })
    await expect(other.volumes.deleteVolume({ id: 'private' })).rejects.toMatchObject({ reason: 'VOLUME_NOT_FOUND' })
    expect((await other.volumes.listVolumes({})).volumes).toEqual([])
    const claim = { owner: ownerOf(70, 'disk0'), project: 'other', actor: 'a', uid: 64_070, source: { case: 'volume' as const, value: id } }
    await expect(api.host.ensureVolume(claim)).rejects.toMatchObject({ reason: 'VOLUME_NOT_FOUND' })
  })

  it('are watched without their owners’ scratch disks', async () => {
    const seen: string[] = []
    for await (const { type, volume } of api.volumes.watchVolumes({ filter: 'name=watched' })) {
      seen.push([nameOf(Type, type), volume?.name, nameOf(VolumeState, volume?.status?.state)].join(' ').trim())
      if (seen.length === 1) {
        const scratch = { case: 'scratch' as const, value: { sizeBytes: BigInt(16 * mebibyte) } }
        await api.host.ensureVolume({ owner: ownerOf(60), project: 'default', actor: 'key_test', uid: 64_060, source: scratch })
        await createReady('watched')
        await api.volumes.deleteVolume({ id: 'watched' })
      }
      if (type === Type.DELETED) break
    }
    expect(seen.at(0)).toBe('BOOKMARK')
    expect(seen).toContain('CHANGED watched PENDING')
    expect(seen).toContain('CHANGED watched READY')
    expect(seen.at(-1)).toBe('DELETED watched READY')
    await api.host.releaseVolume({ owner: ownerOf(60) })
  })
})

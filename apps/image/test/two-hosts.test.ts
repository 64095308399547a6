import { existsSync } from 'node:fs'
import { newId } from '@berth/db'
import { CopyState } from '@berth/proto/berth/image/v1/image_pb.ts'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { busybox, startWorld, type World } from './fixture.ts'

let a: World
let b: World
beforeAll(async () => {
  a = await startWorld()
  b = await startWorld({}, a)
})
afterAll(async () => {
  await b[Symbol.asyncDispose]()
  await a[Symbol.asyncDispose]()
})

describe('two hosts with one database', () => {
  it('have one image with a copy each, of one digest; the last copy takes it with it', async () => {
    const { reference, digest } = await a.push('two/hosts', 'latest', busybox({ path: 'v1' }))
    await a.ended((await a.clients.images.pullImage({ reference })).operation)
    await a.push('two/hosts', 'latest', busybox({ path: 'v2' }))
    expect(existsSync(b.file('roots', `${digest.slice(7)}.erofs`))).toBe(false)

    const owner = { kind: 'instance', id: newId('ins'), slot: 'root' }
    const ensure = () => b.clients.host.ensureImage({ owner, project: 'default', actor: 'x', reference })
    await expect.poll(async () => (await ensure()).ready, { timeout: 10_000 }).toBe(true)
    const { image } = await ensure()
    expect(image?.status?.digest).toBe(digest)
    expect(image?.status?.copies.map(({ state }) => state)).toEqual([CopyState.READY, CopyState.READY])
    expect(existsSync(b.file('roots', `${digest.slice(7)}.erofs`))).toBe(true)
    expect([await a.audit(), await b.audit()]).toEqual([[], []])

    await expect(a.clients.images.deleteImage({ id: 'hosts' })).rejects.toMatchObject({ reason: 'IMAGE_IN_USE' })
    await b.clients.host.releaseImage({ owner })
    const { operation } = await a.clients.images.deleteImage({ id: 'hosts' })
    expect((await a.ended(operation)).state).toBe(OperationState.DONE)
    for (const world of [a, b]) {
      expect(existsSync(world.file('roots', `${digest.slice(7)}.erofs`))).toBe(false)
      expect(await world.audit()).toEqual([])
    }
  })
})

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { tableDifferences } from '@berth/db'
import { CopyState } from '@berth/proto/berth/image/v1/image_pb.ts'
import { tempDir } from '@berth/testing'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as tables from '../src/store/tables.ts'
import { busybox, startWorld, type World } from './fixture.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const pull = async (reference: string, more: { name?: string; requestId?: string } = {}) => {
  const accepted = await world.clients.images.pullImage({ reference, ...more })
  return { ...accepted, ended: await world.ended(accepted.operation) }
}

describe('pulling', () => {
  it('has the tables that its migration makes', async () => {
    expect(await tableDifferences(world.service.db, tables)).toEqual([])
  })

  it('makes one read-only root of all layers and records what the image says about running it', async () => {
    const { reference, digest } = await world.push('demo/busybox', '1', busybox({ path: 'setuid', mode: 0o4755, uid: 7, gid: 8, mtime: 5 }))
    const { image, ended } = await pull(reference)
    expect(ended).toMatchObject({ state: OperationState.DONE, kind: 'image.pull', resourceId: image?.id })
    expect(ended.stages.map(({ stage }) => stage)).toEqual(['RESOLVE', 'PULL', 'CONVERT'])
    const { image: now } = await world.clients.images.getImage({ id: 'busybox' })
    expect(now?.status).toMatchObject({
      digest,
      state: CopyState.READY,
      config: {
        entrypoint: ['/bin/sh'],
        cmd: ['-c', 'id'],
        env: ['A=1', 'PATH=/bin'],
        user: '1000:100',
        workingDir: '/srv',
        stopSignal: 'SIGINT',
      },
    })
    expect(now?.status?.indexDigest).not.toBe(digest)
    const root = world.file('roots', `${digest.slice(7)}.erofs`)
    expect(Number(now?.status?.rootSizeBytes)).toBe(statSync(root).size)
    expect(statSync(root).mode & 0o777).toBe(0o644)

    using folder = tempDir('extract')
    const tree = join(folder.path, 'tree')
    execFileSync('fsck.erofs', [`--extract=${tree}`, '--overwrite', root])
    expect(readdirSync(tree).toSorted()).toEqual(['bin', 'etc', 'setuid'])
    expect(readdirSync(join(tree, 'etc'))).toEqual(['motd'])
    expect(readlinkSync(join(tree, 'bin/sh'))).toBe('busybox')
    expect(lstatSync(join(tree, 'setuid'))).toMatchObject({ uid: 7, gid: 8, mtimeMs: 5000 })
    expect(modeIn(root, '/setuid')).toBe(0o104755)
    expect(lstatSync(join(tree, 'etc/motd')).mtimeMs).toBe(1_600_000_000_000)
    const sha = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
    expect(sha(join(tree, 'bin/busybox'))).toBe(
      createHash('sha256')
        .update(busybox().layers[0]?.files[1]?.content ?? '')
        .digest('hex'),
    )
    expect(await world.audit()).toEqual([])
  })

  it('makes a root once, whoever pulls the same', async () => {
    const root = world.file('roots', readdirSync(world.file('roots'))[0] ?? '')
    const before = statSync(root).mtimeMs
    const { ended, image } = await pull(`${world.registry.host}/demo/busybox:1`)
    expect(ended.state).toBe(OperationState.DONE)
    const { image: other } = await world.clients.otherImages.pullImage({ reference: `${world.registry.host}/demo/busybox:1` })
    expect(other?.id).not.toBe(image?.id)
    for (;;) if ((await world.clients.otherImages.getImage({ id: 'busybox' })).image?.status?.state === CopyState.READY) break
    expect(statSync(root).mtimeMs).toBe(before)
  })

  it('answers the same operation to those who ask at once, and to a retry', async () => {
    const { reference } = await world.push('demo/many', '1', busybox({ path: 'many' }))
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.clients.images.pullImage({ reference, requestId: 'r1' })))
    expect(new Set(answers.map(({ operation }) => operation?.id)).size).toBe(1)
    expect(new Set(answers.map(({ image }) => image?.id)).size).toBe(1)
    expect((await world.ended(answers[0]?.operation)).state).toBe(OperationState.DONE)
    await expect(world.clients.images.pullImage({ reference: 'alpine', requestId: 'r1' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    })
  })

  it('names images after their repository, with a number where that is taken', async () => {
    const { reference } = await world.push('other/many', '1', busybox({ path: 'other' }))
    const { image } = await pull(reference)
    expect(image?.name).toBe('many-2')
    const named = await pull((await world.push('other/named', '1', busybox({ path: 'named' }))).reference, { name: 'my-name' })
    expect(named.image?.name).toBe('my-name')
    const { images } = await world.clients.images.listImages({ filter: 'state=READY and name=my-name' })
    expect(images.map(({ name }) => name)).toEqual(['my-name'])
  })

  it('refuses references that are none, without an operation', async () => {
    await expect(world.clients.images.pullImage({ reference: 'a//b' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'REFERENCE_INVALID',
      violations: [{ field: 'reference' }],
    })
  })

  it('says so when there is no such image, and leaves nothing but the operation', async () => {
    const { ended, image } = await pull(`${world.registry.host}/demo/nothing:1`)
    expect(ended).toMatchObject({ state: OperationState.FAILED, error: { code: 5 } })
    await expect(world.clients.images.getImage({ id: image?.id ?? '' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      reason: 'IMAGE_NOT_FOUND',
    })
    expect(await world.audit()).toEqual([])
  })

  it('follows a tag that moved, and removes what the old version left', async () => {
    const first = await world.push('demo/moving', 'latest', busybox({ path: 'v1' }))
    await pull(first.reference)
    const second = await world.push('demo/moving', 'latest', busybox({ path: 'v2' }))
    const { ended } = await pull(first.reference)
    expect(ended.state).toBe(OperationState.DONE)
    const { image } = await world.clients.images.getImage({ id: 'moving' })
    expect(image?.status?.digest).toBe(second.digest)
    await expect.poll(() => readdirSync(world.file('roots')).includes(`${first.digest.slice(7)}.erofs`)).toBe(false)
    await expect.poll(() => world.audit()).toEqual([])
  })

  it('forgets an image and its files, and pulls it again within the same second', async () => {
    const { reference, digest } = await world.push('demo/again', '1', busybox({ path: 'again' }))
    await pull(reference)
    for (let round = 0; round < 5; round++) {
      const { operation } = await world.clients.images.deleteImage({ id: (await imageOf(reference)).id })
      const { ended } = await pull(reference)
      expect(ended.state).toBe(OperationState.DONE)
      expect((await world.ended(operation)).state).toBe(OperationState.DONE)
      expect(statSync(world.file('roots', `${digest.slice(7)}.erofs`)).isFile()).toBe(true)
    }
    const { operation } = await world.clients.images.deleteImage({ id: (await imageOf(reference)).id })
    await world.ended(operation)
    expect(readdirSync(world.file('roots'))).not.toContain(`${digest.slice(7)}.erofs`)
    expect(await world.audit()).toEqual([])
  })
})

async function imageOf(reference: string) {
  const { images } = await world.clients.images.listImages({})
  const found = images.find((image) => image.spec?.reference === reference && !image.deleteTime)
  if (!found) throw new Error(`no image of ${reference}`)
  return found
}

/** The mode as it stands in the image: erofs-utils of this age neither extract nor print setuid. */
function modeIn(root: string, path: string): number {
  const nid = Number(/NID: ([0-9]+)/.exec(execFileSync('dump.erofs', [`--path=${path}`, root], { encoding: 'utf8' }))?.[1])
  const bytes = readFileSync(root)
  const inodes = bytes.readUInt32LE(1024 + 40) << (bytes[1024 + 12] ?? 0)
  return bytes.readUInt16LE(inodes + nid * 32 + 4)
}

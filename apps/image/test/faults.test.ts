import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { busybox, startWorld, type World } from './fixture.ts'

let world: World
let reference: string
beforeAll(async () => {
  world = await startWorld()
  reference = (await world.push('f/image', '1', busybox({ path: 'f' }))).reference
})
afterAll(() => world[Symbol.asyncDispose]())

const names = ['resolve', 'record', 'download', 'convert', 'publish'].flatMap((step) => [
  `image.pull.${step}.before`,
  `image.pull.${step}.after`,
])
const files = () => ['blobs/sha256', 'roots', 'tmp'].flatMap((folder) => readdirSync(world.file(folder)))
const pull = async () => (await world.clients.images.pullImage({ reference })).operation

/** Forgets the image if there is one, and expects that nothing is left. */
async function expectClean(): Promise<void> {
  world.arm()
  const { images } = await world.clients.images.listImages({})
  for (const { id } of images) await world.ended((await world.clients.images.deleteImage({ id })).operation)
  await until('nothing is left', async () => (await world.clients.images.listImages({})).images.length === 0)
  expect(files()).toEqual([])
  expect(await world.audit()).toEqual([])
}

describe('a pull that is hit', () => {
  it('makes all its failpoints known', () => {
    expect(readFileSync(join(world.dataDir, 'failpoints.names.image'), 'utf8').split('\n')).toEqual(expect.arrayContaining(names))
  })

  it.each(names)('by an error at %s ends with a reason and leaves nothing', async (name) => {
    world.arm(`${name}=error`)
    const operation = await world.ended(await pull())
    expect(operation.state).toBe(OperationState.FAILED)
    expect(files()).toEqual([])
    expect(await world.audit()).toEqual([])
    await expectClean()
  })

  it.each(names)('by a cancel while it stalls at %s ends CANCELLED and leaves nothing', async (name) => {
    world.arm(`${name}=stall`)
    const operation = await pull()
    await world.hit(name)
    await world.clients.operations.cancelOperation({ id: operation?.id ?? '' })
    expect((await world.ended(operation)).state).toBe(OperationState.CANCELLED)
    expect(files()).toEqual([])
    await expectClean()
  })

  it.each(names)('by a delete while it stalls at %s ends clean, both operations', async (name) => {
    world.arm(`${name}=stall`)
    const { image, operation } = await world.clients.images.pullImage({ reference })
    await world.hit(name)
    const deletion = await world.clients.images.deleteImage({ id: image?.id ?? '' })
    expect((await world.ended(deletion.operation)).state).toBe(OperationState.DONE)
    expect((await world.ended(operation)).state).toBe(OperationState.CANCELLED)
    await expectClean()
  })

  it.each(names)('by a restart while it stalls at %s goes on from there', async (name) => {
    world.arm(`${name}=stall`)
    const operation = await pull()
    await world.hit(name)
    await world.restart()
    world.arm()
    expect((await world.ended(operation)).state).toBe(OperationState.DONE)
    expect(await world.audit()).toEqual([])
    await expectClean()
  })
})

describe('the audit', () => {
  it('names an orphan of every kind, in both directions', async () => {
    await world.ended(await pull())
    expect(await world.audit()).toEqual([])
    const hex = 'e'.repeat(64)
    writeFileSync(world.file('blobs/sha256', hex), 'x')
    writeFileSync(world.file('roots', `${hex}.erofs`), 'x')
    writeFileSync(world.file('kernels', 'x'), 'x')
    writeFileSync(world.file('tmp', `blob-${hex}`), 'x')
    const blobs = readdirSync(world.file('blobs/sha256')).filter((name) => name !== hex)
    rmSync(world.file('blobs/sha256', blobs[0] ?? ''))
    expect((await world.audit()).toSorted()).toEqual([
      expect.stringMatching(/^1 file blobs/),
      expect.stringMatching(/^1 file roots/),
      expect.stringMatching(/^1 file tmp/),
      expect.stringMatching(/^1 folder kernels/),
      expect.stringMatching(/^2 file blobs/),
    ])
  })

  it('sees nothing in the temp folder after a start: leftovers that bear our mark are swept, others stay', async () => {
    writeFileSync(world.file('tmp', 'not-ours'), 'x')
    await world.restart()
    expect(readdirSync(world.file('tmp'))).toEqual(['not-ours'])
  })
})

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newId } from '@berth/db'
import { CopyState } from '@berth/proto/berth/image/v1/image_pb.ts'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { busybox, makeGuest, startWorld, type World } from './fixture.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const ownerOf = (slot = 'root') => ({ kind: 'instance', id: newId('ins'), slot })
type Owner = ReturnType<typeof ownerOf>

const ensure = (owner: Owner, reference: string) =>
  world.clients.host.ensureImage({ owner, project: 'default', actor: 'key_test', reference })

/** Asks until the image is there, as an instance does. */
async function ensured(owner: Owner, reference: string) {
  for (;;) {
    const answer = await ensure(owner, reference)
    if (answer.ready) return answer
  }
}

const pathOf = (answer: Awaited<ReturnType<typeof ensure>>) => (answer.root?.target.case === 'path' ? answer.root.target.value : '')

describe('ensuring an image', () => {
  it('pulls it once for all owners and grants the root, read-only, with the epoch', async () => {
    const { reference, digest } = await world.push('e/one', '1', busybox({ path: 'one' }))
    const owners = Array.from({ length: 10 }, () => ownerOf())
    const answers = await Promise.all(owners.map((owner) => ensured(owner, reference)))
    expect(new Set(answers.map(({ image }) => image?.id)).size).toBe(1)
    for (const answer of answers) {
      expect(answer.root).toMatchObject({ readOnly: true })
      expect(answer.root?.epoch).toBeGreaterThan(0n)
      expect(pathOf(answer)).toBe(world.file('roots', `${digest.slice(7)}.erofs`))
    }
    const { operations } = await world.clients.operations.listOperations({ filter: `resource_id=${answers[0]?.image?.id}` })
    expect(operations.map(({ kind, state }) => `${kind} ${state}`)).toEqual([`image.pull ${OperationState.DONE}`])
    // Every parent can be passed by a VM's uid.
    for (const folder of [world.file(), world.file('roots')]) expect(statSync(folder).mode & 0o001).toBe(1)

    await expect(world.clients.images.deleteImage({ id: 'one' })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'IMAGE_IN_USE',
      message: expect.stringContaining(`instance/`),
    })
    for (const owner of owners) await world.clients.host.releaseImage({ owner })
    for (const owner of owners) await world.clients.host.releaseImage({ owner })
    await world.ended((await world.clients.images.deleteImage({ id: 'one' })).operation)
    expect(existsSync(world.file('roots', `${digest.slice(7)}.erofs`))).toBe(false)
  })

  it('leaves no hold when the owner gives up in the midst of it and releases', async () => {
    const { reference } = await world.push('e/given-up', '1', busybox({ path: 'given-up' }))
    await ensured(ownerOf(), reference)
    for (let round = 0; round < 60; round += 1) {
      const owner = ownerOf()
      const givingUp = new AbortController()
      const request = { owner, project: 'default', actor: 'key_test', reference }
      const ensuring = world.clients.host.ensureImage(request, { signal: givingUp.signal }).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, round / 10))
      givingUp.abort()
      await ensuring
      await world.clients.host.releaseImage({ owner })
      expect((await world.holdings()).filter(({ ownerId }) => ownerId === owner.id)).toEqual([])
    }
  })

  it('takes an image by name or id, and needs no registry for what is ready', async () => {
    const { reference } = await world.push('e/offline', '1', busybox({ path: 'offline' }))
    const first = await ensured(ownerOf(), reference)
    await world.restart({ insecureRegistries: [] })
    for (const text of [reference, 'offline', first.image?.id ?? '']) {
      const answer = await ensure(ownerOf(), text)
      expect(answer.ready).toBe(true)
      expect(answer.operationId).toBe('')
    }
    await world.restart()
    await expect(ensure(ownerOf(), newId('img'))).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'IMAGE_NOT_FOUND' })
  })

  it('keeps the digest an owner was given, whatever the tag says later', async () => {
    const owner = ownerOf()
    const old = await world.push('e/tag', 'latest', busybox({ path: 'old' }))
    await ensured(owner, old.reference)
    const now = await world.push('e/tag', 'latest', busybox({ path: 'new' }))
    expect((await ensure(owner, old.reference)).image?.status?.digest).toBe(old.digest)
    expect((await ensure(ownerOf(), old.reference)).image?.status?.digest).toBe(old.digest)
    await world.ended((await world.clients.images.pullImage({ reference: old.reference })).operation)
    const kept = await ensure(owner, old.reference)
    expect(kept.ready).toBe(true)
    expect(kept.image?.status?.digest).toBe(old.digest)
    expect(pathOf(kept)).toContain(old.digest.slice(7))
    expect((await world.clients.images.getImage({ id: 'tag' })).image?.status?.digest).toBe(now.digest)
    expect((await ensured(ownerOf(), old.reference)).image?.status?.digest).toBe(now.digest)
    await expect(world.clients.images.deleteImage({ id: kept.image?.id ?? '' })).rejects.toMatchObject({ reason: 'IMAGE_IN_USE' })
    await expect.poll(() => world.audit()).toEqual([])
  })

  it('tells every owner why there is no image: for good what is for good, once what may pass', async () => {
    const owner = ownerOf()
    const missing = `${world.registry.host}/e/missing:1`
    const fails = () => expect(ensured(owner, missing)).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'IMAGE_NOT_FOUND' })
    await fails()
    const { operations } = await world.clients.operations.listOperations({ filter: 'state=FAILED' })
    await fails()
    expect((await world.clients.operations.listOperations({ filter: 'state=FAILED' })).operations).toHaveLength(operations.length)
    await world.clients.host.releaseImage({ owner })
    await world.push('e/missing', '1', busybox({ path: 'found' }))
    expect((await ensured(owner, missing)).ready).toBe(true)

    const passing = ownerOf()
    const { reference } = await world.push('e/passing', '1', busybox({ path: 'passing' }))
    await world.restart({ insecureRegistries: ['127.0.0.1:1'] })
    const away = reference.replace(/^[^/]+/, '127.0.0.1:1')
    await expect(ensured(passing, away)).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'REGISTRY_UNAVAILABLE' })
    await world.restart()
    expect((await ensured(passing, reference)).ready).toBe(true)
  })

  it('makes a root again that was removed by hand', async () => {
    const owner = ownerOf()
    const { reference } = await world.push('e/lost', '1', busybox({ path: 'lost' }))
    const path = pathOf(await ensured(owner, reference))
    // The look that follows a pull may come after the removal: it makes the root again before anybody is told.
    const removed = async () => {
      rmSync(path, { force: true })
      return world.audit()
    }
    await expect.poll(removed, { timeout: 20_000 }).toEqual([expect.stringMatching(/the root of an image is gone/)])
    expect(pathOf(await ensured(owner, reference))).toBe(path)
    expect(existsSync(path)).toBe(true)
    expect(await world.audit()).toEqual([])
  })

  it('does not show images of another project', async () => {
    const { reference } = await world.push('e/secret', '1', busybox({ path: 'secret' }))
    const { image } = await ensured(ownerOf(), reference)
    const id = image?.id ?? ''
    const unknown = { code: 'NOT_FOUND', reason: 'IMAGE_NOT_FOUND' }
    await expect(world.clients.otherImages.getImage({ id })).rejects.toMatchObject(unknown)
    await expect(world.clients.otherImages.deleteImage({ id })).rejects.toMatchObject(unknown)
    const other = world.clients.host.ensureImage({ owner: ownerOf(), project: 'other', actor: 'x', reference: id })
    await expect(other).rejects.toMatchObject(unknown)
    await expect(world.clients.images.getImage({ id })).resolves.toMatchObject({ image: { status: { state: CopyState.READY } } })
  })
})

describe('kernels', () => {
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  const elf = () => {
    const kernel = Buffer.alloc(4096)
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(kernel)
    kernel.writeUInt16LE(62, 18)
    return kernel
  }

  it('are taken at start, verified; the one taken last is the default', async () => {
    await expect(world.clients.host.ensureKernel({ owner: ownerOf('kernel') })).rejects.toMatchObject({ reason: 'KERNEL_NOT_FOUND' })
    const guestDir = join(world.dataDir, 'guest')
    makeGuest(guestDir, elf(), Buffer.from('one'), sha256)
    await world.restart()
    const first = await world.clients.host.ensureKernel({ owner: ownerOf('kernel') })
    expect(first.kernel?.status).toMatchObject({ isDefault: true, format: 'vmlinux', kernelDigest: `sha256:${sha256(elf())}` })
    makeGuest(guestDir, elf(), Buffer.from('two'), sha256)
    await world.restart()
    await world.restart()
    const second = await world.clients.host.ensureKernel({ owner: ownerOf('kernel') })
    expect(second.kernel?.id).not.toBe(first.kernel?.id)
    const { kernels } = await world.clients.kernels.listKernels({})
    expect(kernels.map(({ status }) => status?.isDefault)).toEqual([false, true])
    const named = await world.clients.host.ensureKernel({ owner: ownerOf('kernel'), kernel: first.kernel?.name })
    const path = named.kernelFile?.target.value ?? ''
    expect(statSync(path).mode & 0o777).toBe(0o644)
    expect(await world.audit()).toEqual([])
  })

  it('that are not what their manifest says, or no kernel, are left alone, and images go on', async () => {
    const guestDir = join(world.dataDir, 'guest')
    const before = readdirSync(world.file('kernels'))
    for (const bad of [
      () => writeFileSync(join(guestDir, 'vmlinux'), 'changed'),
      () => makeGuest(guestDir, Buffer.from('MZ no elf'), Buffer.from('x'), sha256),
      () => writeFileSync(join(guestDir, 'manifest.json'), '{"kernel":{"file":"../../etc/passwd"}}'),
    ]) {
      makeGuest(guestDir, elf(), Buffer.from('three'), sha256)
      bad()
      await world.restart()
      await expect(world.clients.host.ensureKernel({ owner: ownerOf('kernel') })).rejects.toMatchObject({ reason: 'KERNEL_NOT_FOUND' })
      expect(readdirSync(world.file('kernels'))).toEqual(before)
    }
    expect(await world.audit()).toEqual([])
  })
})

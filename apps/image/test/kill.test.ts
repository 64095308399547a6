import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { ImageService } from '@berth/proto/berth/image/v1/image_pb.ts'
import { OperationService, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { clientOf, connectTo, hostKey, mintToken } from '@berth/rpc'
import { home, type TestDatabase, tempDir, testDatabase } from '@berth/testing'
import { compileCacheOf, testBuild } from '@berth/testing/build'
import { buildImage, pushImage } from '@berth/testing/oci-image'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { busybox } from './fixture.ts'

const stack = new AsyncDisposableStack()
let database: TestDatabase
let registry: TestRegistry
let build: string
beforeAll(async () => {
  build = testBuild()
  database = stack.use(await testDatabase())
  registry = stack.use(await startRegistry())
  await pushImage({ registryUrl: registry.url, name: 'k/image', tag: '1' }, buildImage(busybox({ path: 'k' })))
})
afterAll(() => stack.disposeAsync())

/** The service as a process of its own, as it is run. */
async function startProcess(dataDir: string) {
  const env = {
    PATH: process.env.PATH,
    ...compileCacheOf(build),
    BERTH_HOME: home,
    BERTH_DATA_DIR: dataDir,
    BERTH_LISTEN: '127.0.0.1:0',
    BERTH_IMAGE_DATABASE_URL: database.urlFor('image'),
    BERTH_INSECURE_REGISTRIES: registry.host,
    BERTH_GUEST_DIR: join(dataDir, 'guest'),
    BERTH_FAILPOINTS_FILE: join(dataDir, 'failpoints'),
  }
  const child = spawn(process.execPath, [join(build, 'image.mjs')], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const { msg, port: found } = JSON.parse(line) as { msg?: string; port?: number }
      if (msg === 'serving' && found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)))
  })
  const key = await hostKey(dataDir)
  const { token } = await mintToken({ key, audience: 'image', actor: 'key_test', project: 'default', roles: ['admin'], plane: 'public' })
  const transport = connectTo({ target: `127.0.0.1:${port}`, identity: token })
  return {
    images: clientOf(ImageService, transport),
    operations: clientOf(OperationService, transport),
    audit: clientOf(AuditService, transport),
    exited,
    async [Symbol.asyncDispose]() {
      transport[Symbol.dispose]()
      child.kill('SIGTERM')
      await exited
    },
  }
}

describe('a service that is killed', () => {
  it.each([
    'download.after',
    'convert.after',
    'publish.after',
  ])('at image.pull.%s ends its pull after the next start, and nothing partial counts', async (name) => {
    using data = tempDir('kill')
    const failpoints = join(data.path, 'failpoints')
    writeFileSync(failpoints, `image.pull.${name}=exit\n`)
    let id = ''
    {
      await using first = await startProcess(data.path)
      const { operation } = await first.images.pullImage({ reference: `${registry.host}/k/image:1` })
      id = operation?.id ?? ''
      expect(await first.exited).toEqual([null, 'SIGKILL'])
    }
    const roots = readdirSync(join(data.path, 'image/roots'))
    expect(roots).toHaveLength(name === 'publish.after' ? 1 : 0)
    writeFileSync(failpoints, '')
    await using second = await startProcess(data.path)
    const { operation } = await second.operations.waitOperation({ id })
    expect(operation?.state).toBe(OperationState.DONE)
    expect(readdirSync(join(data.path, 'image/tmp'))).toEqual([])
    expect((await second.audit.auditHost({})).findings).toEqual([])
    const { images } = await second.images.listImages({})
    for (const image of images) {
      const deletion = await second.images.deleteImage({ id: image.id })
      await second.operations.waitOperation({ id: deletion.operation?.id ?? '' })
    }
    expect(readdirSync(join(data.path, 'image/blobs/sha256'))).toEqual([])
  })
})

import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { ErrorInfoSchema } from '@berth/proto/google/rpc/error_details_pb.ts'
import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { type BuiltImage, buildImage } from '@berth/testing/oci-image'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { badRegistry, type Handler, serveHttp, type TestServer } from '@berth/testing/bad-registry'
import { startWorld, type World } from './fixture.ts'

let world: World
let stack = new AsyncDisposableStack()
beforeAll(async () => {
  world = await startWorld()
})
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
  expect(await world.audit()).toEqual([])
  expect(readdirSync(world.file('tmp'))).toEqual([])
})
afterAll(() => world[Symbol.asyncDispose]())

const sample = () => buildImage({ layers: [{ files: [{ path: 'a', content: Buffer.alloc(200_000, 'abc') }] }], index: true })
const isBlob = (url: string | undefined) => url?.includes('/blobs/') === true

/** Pulls from a registry that does what `misbehave` says; answers how the operation ended. */
async function pullFrom(server: TestServer, also: string[] = []): Promise<Operation> {
  await world.restart({ insecureRegistries: [server.host, ...also] })
  const { operation } = await world.clients.images.pullImage({ reference: `${server.host}/bad/image:1` })
  return world.ended(operation)
}

async function outcome(misbehave: Handler, image: BuiltImage = sample(), also: string[] = []): Promise<string> {
  const server = stack.use(await badRegistry(image, misbehave))
  return reasonOf(await pullFrom(server, also))
}

function reasonOf({ state, error }: Operation): string {
  if (state === OperationState.DONE) return 'DONE'
  const info = error?.details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((found) => found !== undefined)
  return `${error?.code} ${info?.reason}`
}

describe('a registry that misbehaves', () => {
  it('once is forgiven: broken transfers begin again', async () => {
    let broken = 0
    const misbehave: Handler = (request, response, next) => {
      if (isBlob(request.url) && broken++ < 2) response.writeHead(200, { 'content-length': 1000 }).write('x', () => response.destroy())
      else if (broken === 3 && broken++) response.writeHead(503).end()
      else next()
    }
    expect(await outcome(misbehave)).toBe('DONE')
    const { images } = await world.clients.images.listImages({})
    for (const { id } of images) await world.ended((await world.clients.images.deleteImage({ id })).operation)
  })

  it('by cutting a blob short each time is BLOB_TRUNCATED', async () => {
    const misbehave: Handler = (request, response, next) => {
      if (isBlob(request.url)) response.writeHead(200).end('short')
      else next()
    }
    expect(await outcome(misbehave)).toBe('14 BLOB_TRUNCATED')
  })

  it('by sending other bytes is DIGEST_MISMATCH, for layers and for manifests', async () => {
    const wrong =
      (kind: string): Handler =>
      (request, response, next) => {
        const size = [...sample().blobs.entries()].find(([digest]) => request.url?.endsWith(digest))?.[1].length ?? 400
        if (request.url?.includes(kind)) response.writeHead(200, { 'content-length': size }).end(Buffer.alloc(size, 'x'))
        else next()
      }
    expect(await outcome(wrong('/blobs/'))).toBe('9 DIGEST_MISMATCH')
    expect(await outcome(wrong('/manifests/sha256'))).toBe('9 DIGEST_MISMATCH')
  })

  it('by never ending a blob is DIGEST_MISMATCH as soon as it is too long', async () => {
    const misbehave: Handler = (request, response, next) => {
      if (!isBlob(request.url)) return next()
      response.writeHead(200)
      const chunk = Buffer.alloc(64 * 1024)
      const more = () => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    }
    expect(await outcome(misbehave)).toBe('9 DIGEST_MISMATCH')
  })

  it('by sending a byte now and then, or nothing, is REGISTRY_UNAVAILABLE within bounded time', async () => {
    const misbehave: Handler = (request, response, next) => {
      if (!isBlob(request.url)) return next()
      response.writeHead(200)
      const timer = setInterval(() => response.write('x'), 50)
      response.on('close', () => clearInterval(timer))
    }
    expect(await outcome(misbehave)).toBe('14 REGISTRY_UNAVAILABLE')
    expect(await outcome(() => undefined)).toBe('14 REGISTRY_UNAVAILABLE')
  })

  it('by answering 429 is waited for as it asks, then REGISTRY_UNAVAILABLE', async () => {
    const server = stack.use(await badRegistry(sample(), (_, response) => response.writeHead(429, { 'retry-after': '0' }).end()))
    expect(reasonOf(await pullFrom(server))).toBe('14 REGISTRY_UNAVAILABLE')
    expect(server.requests).toHaveLength(4)
  })

  it('by refusing is REGISTRY_DENIED, by not knowing is IMAGE_NOT_FOUND', async () => {
    expect(await outcome((_, response) => response.writeHead(403).end())).toBe('7 REGISTRY_DENIED')
    expect(await outcome((_, response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end())).toBe(
      '7 REGISTRY_DENIED',
    )
    expect(await outcome((_, response) => response.writeHead(404).end())).toBe('5 IMAGE_NOT_FOUND')
  })

  it('by sending a manifest that is too long or none is MANIFEST_INVALID', async () => {
    expect(await outcome((_, response) => response.end(Buffer.alloc(5 * 1024 * 1024, ' ')))).toBe('3 MANIFEST_INVALID')
    expect(await outcome((_, response) => response.end('<html>'))).toBe('3 MANIFEST_INVALID')
  })

  it('by redirecting in circles, or to an address of this host that is not listed, is not followed', async () => {
    expect(await outcome((request, response) => response.writeHead(302, { location: request.url ?? '' }).end())).toBe(
      '9 REGISTRY_UNTRUSTED',
    )
    const closed = (location: string) => outcome((_, response) => response.writeHead(307, { location }).end())
    expect(await closed('https://127.0.0.1:1/x')).toBe('7 EGRESS_BLOCKED')
    expect(await closed('https://169.254.169.254/latest')).toBe('7 EGRESS_BLOCKED')
    expect(await closed('http://example.com/')).toBe('9 REGISTRY_UNTRUSTED')
    expect(await closed('file:///etc/passwd')).toBe('9 REGISTRY_UNTRUSTED')
  })

  it('by packing a bomb is IMAGE_TOO_LARGE, by packing no archive is LAYER_INVALID', async () => {
    expect(await outcome((_, __, next) => next(), withLayer(gzipSync(Buffer.alloc(300 * 1024 * 1024)), bombTar()))).toBe(
      '8 IMAGE_TOO_LARGE',
    )
    expect(await outcome((_, __, next) => next(), withLayer(gzipSync('not a tar'), Buffer.from('not a tar')))).toBe('3 LAYER_INVALID')
    expect(await outcome((_, __, next) => next(), withLayer(Buffer.from('not gzip'), Buffer.from('x')))).toBe('3 LAYER_INVALID')
  })

  it('that is not there is REGISTRY_UNAVAILABLE', async () => {
    const gone = await serveHttp(() => undefined)
    await gone[Symbol.asyncDispose]()
    expect(reasonOf(await pullFrom(gone))).toBe('14 REGISTRY_UNAVAILABLE')
  })
})

describe('a registry that wants a token', () => {
  const token = 'secret-token'
  const guarded =
    (realm: () => string): Handler =>
    (request, response, next) => {
      if (request.headers.authorization === `Bearer ${token}`) return next()
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm()}",service="reg",scope="repository:other/x:push"` }).end()
    }

  it('gets an anonymous one from its token server, for this repository and reading only', async () => {
    const tokens = stack.use(await serveHttp((_, response) => response.end(JSON.stringify({ token, expires_in: 300 }))))
    const server = stack.use(
      await badRegistry(
        sample(),
        guarded(() => `${tokens.url}/token`),
      ),
    )
    expect(reasonOf(await pullFrom(server, [tokens.host]))).toBe('DONE')
    expect(tokens.requests).toEqual([{ path: '/token?service=reg&scope=repository%3Abad%2Fimage%3Apull', authorization: undefined }])
    const { images } = await world.clients.images.listImages({})
    for (const { id } of images) await world.ended((await world.clients.images.deleteImage({ id })).operation)
  })

  it('never makes us send it to another host, however it redirects', async () => {
    const tokens = stack.use(await serveHttp((_, response) => response.end(JSON.stringify({ access_token: token }))))
    const thief = stack.use(await serveHttp((_, response) => response.writeHead(404).end()))
    const misbehave: Handler = (request, response, next) => {
      if (isBlob(request.url) && request.headers.authorization) response.writeHead(307, { location: `${thief.url}/blob` }).end()
      else guarded(() => tokens.url)(request, response, next)
    }
    const server = stack.use(await badRegistry(sample(), misbehave))
    expect(reasonOf(await pullFrom(server, [tokens.host, thief.host]))).toBe('5 IMAGE_NOT_FOUND')
    expect(thief.requests.length).toBeGreaterThan(0)
    expect(thief.requests.every(({ authorization }) => authorization === undefined)).toBe(true)
  })

  it('is refused when its token server is not reached by https', async () => {
    expect(await outcome(guarded(() => 'http://example.com/token'))).toBe('9 REGISTRY_UNTRUSTED')
    expect(await outcome(guarded(() => 'https://user:pass@example.com/token'))).toBe('9 REGISTRY_UNTRUSTED')
  })

  it('is refused when the token would smuggle a header', async () => {
    const tokens = stack.use(await serveHttp((_, response) => response.end(JSON.stringify({ token: 'x\r\nx-evil: 1' }))))
    expect(
      await outcome(
        guarded(() => tokens.url),
        sample(),
        [tokens.host],
      ),
    ).toBe('9 REGISTRY_UNTRUSTED')
  })
})

/** A tar header that promises more than 300 MB of zeros, which follow. */
function bombTar(): Buffer {
  return Buffer.alloc(300 * 1024 * 1024)
}

/** The sample with its layer replaced, all digests as they must be. */
function withLayer(layer: Buffer, unpacked: Buffer): BuiltImage {
  const sha = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const rootfs = { type: 'layers', diff_ids: [sha(unpacked)] }
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', config: {}, rootfs }))
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const part = (type: string, bytes: Buffer) => ({ mediaType: `application/vnd.oci.image.${type}`, digest: sha(bytes), size: bytes.length })
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, config: part('config.v1+json', config), layers: [part('layer.v1.tar+gzip', layer)] }),
  )
  const blobs = new Map([config, layer].map((blob) => [sha(blob), blob]))
  return { digest: sha(bytes), indexDigest: sha(bytes), blobs, manifests: new Map([[sha(bytes), { mediaType, bytes }]]) }
}

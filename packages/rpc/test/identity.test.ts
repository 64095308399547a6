import { isBerthError } from '@berth/errors'
import { Plane } from '@berth/proto/berth/common/v1/options_pb.ts'
import { ServerReflection } from '@berth/proto/grpc/reflection/v1/reflection_pb.ts'
import { Health } from '@berth/proto/grpc/health/v1/health_pb.ts'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientOf, connectTo, hostIdentity, hostKey, mintToken, requirePolicies, serve, service, verifier } from '../src/index.ts'
import { echoService } from './echo.ts'
import { Echo, type Fixture, logger, startFixture } from './fixture.ts'

const nothing = service(Echo, {
  say: ({ value }) => ({ value }),
  async *count() {},
  sum: async () => ({}),
  async *chat() {},
  hostOnly: () => ({ value: 'host' }),
})

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => ({ code: 'OK' }),
    (error: unknown) => (isBerthError(error) ? error : Promise.reject(error)),
  )

describe('who may call', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture([nothing])
  })
  afterAll(() => fixture[Symbol.asyncDispose]())

  it.each(['say', 'count', 'sum', 'chat', 'hostOnly'] as const)('refuses %s without a credential', async (method) => {
    const client = fixture.clientWith(undefined)
    const call = async () => {
      if (method === 'say' || method === 'hostOnly') return client[method]({})
      if (method === 'sum') return client.sum((async function* () {})())
      const answers = method === 'count' ? client.count({}) : client.chat((async function* () {})())
      for await (const _ of answers);
      return undefined
    }
    expect(await failure(call())).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'NO_CREDENTIAL' })
  })

  it('says why a token does not hold', async () => {
    const foreign = await mkdtemp(join(tmpdir(), 'berth-rpc-'))
    const otherKey = await hostKey(foreign)
    await rm(foreign, { recursive: true })
    const claims = { project: 'default', roles: ['admin'], plane: 'public' }
    const tokens: [string, string][] = [
      ['BAD_TOKEN', 'rubbish'],
      ['BAD_TOKEN', new UnsecuredJWT(claims).setSubject('x').setAudience('echo').setIssuer('berth').setExpirationTime('1h').encode()],
      ['BAD_TOKEN', await fixture.token({ key: otherKey })],
      ['BAD_TOKEN', await fixture.token({ key: { ...otherKey, kid: fixture.key.kid } })],
      [
        'BAD_TOKEN',
        await new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256', kid: fixture.key.kid })
          .sign(Buffer.from(fixture.key.publicJwk.x, 'base64url')),
      ],
      ['BAD_TOKEN', await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', kid: fixture.key.kid }).sign(fixture.key.privateKey)],
      ['WRONG_AUDIENCE', await fixture.token({ audience: 'other' })],
      [
        'TOKEN_EXPIRED',
        await new SignJWT(claims)
          .setProtectedHeader({ alg: 'EdDSA', kid: fixture.key.kid })
          .setSubject('x')
          .setAudience('echo')
          .setIssuer('berth')
          .setExpirationTime('-1h')
          .sign(fixture.key.privateKey),
      ],
    ]
    for (const [reason, token] of tokens) {
      expect([await failure(fixture.clientWith(token).say({})), token]).toMatchObject([{ code: 'UNAUTHENTICATED', reason }, token])
    }
  })

  it('refuses who holds no role for it, and everybody of the public plane on the host plane', async () => {
    const nobody = fixture.clientWith(await fixture.token({ roles: ['constructor'] }))
    expect(await failure(nobody.say({}))).toMatchObject({
      code: 'PERMISSION_DENIED',
      reason: 'NOT_PERMITTED',
      metadata: { permission: 'echo.use' },
    })
    expect(await failure(fixture.client.hostOnly({}))).toMatchObject({ code: 'PERMISSION_DENIED', reason: 'HOST_PLANE' })
  })

  it('lets a service of the host use the host plane and no more', async () => {
    const identity = hostIdentity({ keyFile: join(fixture.dataDir, 'host.key'), audience: 'echo', actor: 'berth-instance' })
    using transport = connectTo({ target: `127.0.0.1:${fixture.server.port}`, identity })
    const client = clientOf(Echo, transport)
    expect((await client.hostOnly({})).value).toBe('host')
    expect(await failure(client.say({}))).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(await identity()).toBe(await identity())
  })

  it('answers health to everybody and reflection to callers', async () => {
    using open = connectTo({ target: `127.0.0.1:${fixture.server.port}` })
    const health = clientOf(Health, open)
    expect((await health.check({ service: Echo.typeName })).status).toBe(1)
    expect(await failure(health.check({ service: 'x' }))).toMatchObject({ code: 'NOT_FOUND' })
    const ask = async (transport: ReturnType<typeof connectTo>) => {
      const asked = (async function* () {
        yield { messageRequest: { case: 'listServices' as const, value: '' } }
      })()
      for await (const { messageResponse } of clientOf(ServerReflection, transport).serverReflectionInfo(asked)) return messageResponse
      return undefined
    }
    expect(await failure(ask(open))).toMatchObject({ code: 'UNAUTHENTICATED' })
    using known = connectTo({ target: `127.0.0.1:${fixture.server.port}`, identity: await fixture.token() })
    expect(JSON.stringify((await ask(known))?.value)).toContain('test.v1.EchoService')
  })

  it('does not start with a method that says not who may call it', () => {
    expect(() => requirePolicies([echoService([{ name: 'Say', needs: '' }])])).toThrow('declares no permission')
    expect(() => requirePolicies([echoService([{ name: 'Say', reach: Plane.UNSPECIFIED }])])).toThrow('declares no plane')
  })
})

describe('keys of other hosts', () => {
  let server: Server
  let folder: string
  let keys: unknown[] = []
  let asked = 0
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-rpc-'))
    server = createServer((_request, response) => {
      asked += 1
      response.end(JSON.stringify({ keys }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(async () => {
    server.close()
    await rm(folder, { recursive: true })
  })

  const tokenOf = async (host: string, plane: 'public' | 'host' = 'host') => {
    const key = await hostKey(join(folder, host))
    return (await mintToken({ key, audience: 'echo', actor: 'berth-instance', project: 'p', roles: [], plane, host })).token
  }

  it('are fetched when one is unknown, kept on disk, and outlive the gateway', async () => {
    const cacheFile = join(folder, 'a', 'jwks.json')
    const token = await tokenOf('hst_b')
    keys = [{ ...(await hostKey(join(folder, 'hst_b'))).publicJwk, host: 'hst_b' }]
    expect(await verifier({ audience: 'echo', dataDir: join(folder, 'a'), jwksUrl: url(), cacheFile }).verify(token)).toMatchObject({
      host: 'hst_b',
      plane: 'host',
    })
    const later = verifier({ audience: 'echo', dataDir: join(folder, 'a'), jwksUrl: 'http://127.0.0.1:1/', cacheFile })
    expect(await later.verify(token)).toMatchObject({ host: 'hst_b' })
    expect(await failure(later.verify(await tokenOf('hst_c')))).toMatchObject({ code: 'UNAVAILABLE', reason: 'KEYS_UNREACHABLE' })
  })

  it('are not fetched again for every forged id', async () => {
    const { verify } = verifier({ audience: 'echo', dataDir: join(folder, 'a'), jwksUrl: url() })
    keys = []
    asked = 0
    for (let i = 0; i < 20; i++)
      expect(await failure(verify(await tokenOf('hst_d')))).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'BAD_TOKEN' })
    expect(asked).toBe(1)
  })

  it('sign for their own host only, and a gateway’s for none', async () => {
    const jwk = (await hostKey(join(folder, 'hst_e'))).publicJwk
    for (const host of ['hst_other', undefined]) {
      keys = [{ ...jwk, host }]
      const { verify } = verifier({ audience: 'echo', dataDir: join(folder, 'a'), jwksUrl: url() })
      expect(await failure(verify(await tokenOf('hst_e')))).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'BAD_TOKEN' })
      expect(await verify(await tokenOf('hst_e', 'public'))).toMatchObject({ plane: 'public' })
    }
  })
})

describe('the host’s key', () => {
  it('is the same for two who make it at once, and nobody else may read it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berth-rpc-'))
    try {
      const made = await Promise.all(Array.from({ length: 8 }, () => hostKey(join(folder, 'data'))))
      expect(new Set(made.map(({ kid }) => kid)).size).toBe(1)
      expect((await stat(join(folder, 'data', 'host.key'))).mode & 0o777).toBe(0o600)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('a server', () => {
  it('refuses to start with a service whose method has no route', async () => {
    const halfDone = { desc: Echo, impl: {} }
    const auth = { verify: async () => Promise.reject(new Error('unused')) }
    await expect(serve({ name: 'x', listen: '127.0.0.1:0', services: [halfDone], auth, logger })).rejects.toThrow('has no route')
  })
})

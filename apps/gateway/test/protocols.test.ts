import { Health } from '@berth/proto/grpc/health/v1/health_pb.ts'
import { ErrorInfoSchema, RequestInfoSchema } from '@berth/proto/google/rpc/error_details_pb.ts'
import { ServerReflection } from '@berth/proto/grpc/reflection/v1/reflection_pb.ts'
import { type ExecInstanceRequestSchema, GetInstanceRequestSchema, InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { StatusSchema } from '@berth/proto/google/rpc/status_pb.ts'
import { clientOf } from '@berth/rpc'
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { Client as GrpcClient, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { fetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Fixture, startFixture } from './fixture.ts'

const list = `/${InstanceService.typeName}/ListInstances`
const get = `/${InstanceService.typeName}/GetInstance`

describe('one port for every client', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture()
  })
  afterAll(() => fixture[Symbol.asyncDispose]())

  const headers = () => ({ authorization: `Bearer ${fixture.key}` })
  const post = async (path: string, body: string, extra: Record<string, string> = {}) => {
    const response = await fetch(`${fixture.url}${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers(), ...extra },
    })
    return { status: response.status, header: response.headers, body: (await response.json()) as Record<string, unknown> }
  }

  it('answers JSON over HTTP/1.1, unknown fields ignored, reads by GET too', async () => {
    expect(await post(list, '{"somethingNewer": 1}')).toMatchObject({ status: 200, body: { instances: [{ name: 'one' }] } })
    const response = await fetch(`${fixture.url}${list}?connect=v1&encoding=json&message=%7B%7D`, { headers: headers() })
    expect([response.status, await response.json()]).toMatchObject([200, { instances: [{ name: 'one' }] }])
  })

  it('gives JSON clients one typed error with its reason, and echoes the request id', async () => {
    const { status, header, body } = await post(get, '{"id":"x"}', { 'x-request-id': 'abc' })
    expect([status, header.get('x-request-id'), body['code'], body['message']]).toEqual([404, 'abc', 'not_found', 'no instance “x”'])
    const details = body['details'] as { type: string; debug?: unknown }[]
    expect(details.filter(({ type }) => type === ErrorInfoSchema.typeName)).toHaveLength(1)
    expect(JSON.stringify(details)).toContain('INSTANCE_NOT_FOUND')
    expect(details.find(({ type }) => type === RequestInfoSchema.typeName)?.debug).toEqual({ requestId: 'abc' })
  })

  const transports: [string, () => Transport][] = [
    ['Connect over HTTP/1.1', () => createConnectTransport({ baseUrl: fixture.url, httpVersion: '1.1' })],
    ['Connect over HTTP/2', () => createConnectTransport({ baseUrl: fixture.url, httpVersion: '2' })],
    ['gRPC-Web over HTTP/1.1', () => createGrpcWebTransport({ baseUrl: fixture.url, httpVersion: '1.1' })],
    ['gRPC over HTTP/2', () => createGrpcTransport({ baseUrl: fixture.url })],
  ]

  it.each(transports)('lists, watches and gets one typed error by %s', async (_name, open) => {
    const client = createClient(InstanceService, open())
    expect((await client.listInstances({}, { headers: headers() })).instances[0]?.name).toBe('one')
    const stop = new AbortController()
    for await (const { instance } of client.watchInstances({}, { headers: headers(), signal: stop.signal })) {
      expect(instance?.name).toBe('one')
      break
    }
    stop.abort()
    const error = await client.getInstance({ id: 'x' }, { headers: headers() }).catch(ConnectError.from)
    if (!(error instanceof ConnectError)) throw new Error('it did not fail')
    expect(error.code).toBe(Code.NotFound)
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'INSTANCE_NOT_FOUND', domain: 'berth.dev', metadata: { id: 'x' } }])
  })

  it('gives a plain gRPC client the same error in its status details', async () => {
    const client = new GrpcClient(`127.0.0.1:${fixture.gateway.port}`, credentials.createInsecure())
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${fixture.key}`)
    const request = Buffer.from(toBinary(GetInstanceRequestSchema, create(GetInstanceRequestSchema, { id: 'x' })))
    const error = await new Promise<ServiceError | null>((resolve) =>
      client.makeUnaryRequest(
        get,
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
        request,
        metadata,
        resolve,
      ),
    )
    client.close()
    expect(error).toMatchObject({ code: 5, details: 'no instance “x”' })
    const status = fromBinary(StatusSchema, error?.metadata.get('grpc-status-details-bin')[0] as Buffer)
    const infos = status.details.flatMap((detail) => anyUnpack(detail, ErrorInfoSchema) ?? [])
    expect(infos).toMatchObject([{ reason: 'INSTANCE_NOT_FOUND' }])
  })

  it('carries a conversation in both directions', async () => {
    const client = clientOf(InstanceService, createGrpcTransport({ baseUrl: fixture.url }))
    let go = Promise.withResolvers<void>()
    async function* input(): AsyncGenerator<MessageInitShape<typeof ExecInstanceRequestSchema>> {
      yield { message: { case: 'start' as const, value: { id: 'one', command: ['cat'] } } }
      await go.promise
      go = Promise.withResolvers()
      yield { message: { case: 'stdin' as const, value: Buffer.from('hello') } }
      await go.promise
      yield { message: { case: 'stdinEnd' as const, value: {} } }
    }
    const seen: unknown[] = []
    for await (const { message } of client.execInstance(input(), { headers: headers() })) {
      seen.push(message.case === 'stdout' ? Buffer.from(message.value).toString() : message.case)
      go.resolve()
    }
    expect(seen).toEqual(['started', 'hello', 'exit'])
  })

  it('passes who calls, deadline, request id and trace on to the service', async () => {
    const client = createClient(InstanceService, createGrpcTransport({ baseUrl: fixture.url }))
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const extra = { ...headers(), 'x-request-id': 'r-7', traceparent: trace }
    const facts = (await client.getInstance({ id: 'whoami' }, { headers: extra, timeoutMs: 5000 })).instance?.labels ?? {}
    expect(facts).toMatchObject({ project: 'default', roles: 'admin', plane: 'public', request: 'r-7', trace })
    expect(facts['actor']).toMatch(/^key_/)
    expect(Number(facts['timeout'])).toBeGreaterThan(4000)
    expect(Number(facts['timeout'])).toBeLessThanOrEqual(5000)
  })

  it('cancels the service’s work when the client gives up, unary or stream', async () => {
    const client = createClient(InstanceService, createGrpcTransport({ baseUrl: fixture.url }))
    const { cancelled } = fixture.peers.instance
    const before = cancelled.length
    const late = await client.getInstance({ id: 'slow' }, { headers: headers(), timeoutMs: 200 }).catch(ConnectError.from)
    expect(late).toMatchObject({ code: Code.DeadlineExceeded })
    const stop = new AbortController()
    const watch = client.watchInstances({}, { headers: headers(), signal: stop.signal })[Symbol.asyncIterator]()
    await watch.next()
    stop.abort()
    await watch.next().catch(() => undefined)
    await expect.poll(() => cancelled.slice(before).toSorted()).toContain('watch')
    await expect.poll(() => cancelled.slice(before).toSorted()).toContain('get')
  })

  it('hides what went wrong inside, and keeps the request id to look for', async () => {
    const { body } = await post(get, '{"id":"broken"}', { 'x-request-id': 'find-me' })
    expect(body).toMatchObject({ code: 'internal', message: 'internal error' })
    expect(JSON.stringify(body)).toContain('find-me')
    expect(JSON.stringify(body)).not.toContain('secret')
  })

  it('answers bad input with code, reason and field', async () => {
    const { status, body } = await post(get, '{"id":""}')
    expect([status, body['code']]).toEqual([400, 'invalid_argument'])
    expect(JSON.stringify(body['details'])).toContain('"field":"id"')
    const malformed = await post(get, '{"id":')
    expect(malformed).toMatchObject({ status: 400, body: { code: 'invalid_argument' } })
    expect(JSON.stringify(malformed.body)).toContain(ErrorInfoSchema.typeName)
    const large = await post(get, JSON.stringify({ id: 'x'.repeat(5 * 1024 * 1024) }))
    expect(large.body).toMatchObject({ code: 'resource_exhausted' })
    expect(JSON.stringify(large.body)).toContain('MESSAGE_TOO_LARGE')
  })

  it.each(transports)('refuses a message beyond the limit with its reason by %s', async (_name, open) => {
    const client = createClient(InstanceService, open())
    const error = await client.getInstance({ id: 'x'.repeat(5 * 1024 * 1024) }, { headers: headers() }).catch(ConnectError.from)
    if (!(error instanceof ConnectError)) throw new Error('it did not fail')
    expect(error.code).toBe(Code.ResourceExhausted)
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'MESSAGE_TOO_LARGE' }])
    expect((await client.listInstances({}, { headers: headers() })).instances).toHaveLength(1)
  })

  it('answers health to everybody and reflection to callers', async () => {
    const transport = createGrpcTransport({ baseUrl: fixture.url })
    expect((await createClient(Health, transport).check({ service: InstanceService.typeName })).status).toBe(1)
    const ask = async (extra: Record<string, string>) => {
      const asked = (async function* () {
        yield { messageRequest: { case: 'listServices' as const, value: '' } }
      })()
      for await (const { messageResponse } of createClient(ServerReflection, transport).serverReflectionInfo(asked, { headers: extra }))
        return messageResponse.value
      return undefined
    }
    await expect(ask({})).rejects.toMatchObject({ code: Code.Unauthenticated })
    expect(JSON.stringify(await ask(headers()))).toContain('berth.volume.v1.VolumeService')
  })
})

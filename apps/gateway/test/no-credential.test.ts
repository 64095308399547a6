import { ImageHostService } from '@berth/proto/berth/image/host/v1/image_host_pb.ts'
import { NetworkHostService } from '@berth/proto/berth/network/host/v1/network_host_pb.ts'
import { VolumeHostService } from '@berth/proto/berth/volume/host/v1/volume_host_pb.ts'
import { AccessService } from '@berth/proto/berth/access/v1/access_pb.ts'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { ErrorInfoSchema } from '@berth/proto/google/rpc/error_details_pb.ts'
import { ServerReflection } from '@berth/proto/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '@berth/proto/grpc/reflection/v1alpha/reflection_pb.ts'
import type { DescMethod, DescMethodStreaming, DescMethodUnary } from '@bufbuild/protobuf'
import { Code, ConnectError, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { peerNames, publicServices } from '../src/edge/peers/catalog.ts'
import { type Fixture, startFixture } from './fixture.ts'

const served = [
  ...peerNames.flatMap(publicServices),
  AccessService,
  OperationService,
  EventService,
  AuditService,
  ServerReflection,
  ServerReflectionAlpha,
]
const hostPlane = [ImageHostService, NetworkHostService, VolumeHostService]
const methods: DescMethod[] = [...served, ...hostPlane].flatMap((service) => [...service.methods])

async function call(transport: Transport, method: DescMethod, headers: Record<string, string>): Promise<unknown> {
  const asked = {}
  if (method.methodKind === 'unary') return transport.unary(method as DescMethodUnary, undefined, 5000, headers, asked)
  async function* requests() {
    yield asked
  }
  const response = await transport.stream(method as DescMethodStreaming, undefined, 5000, headers, requests())
  for await (const _ of response.message);
  return undefined
}

const failure = (promise: Promise<unknown>) => promise.then(() => new ConnectError('it was answered', Code.Unknown), ConnectError.from)

describe('without a credential', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture()
  })
  afterAll(() => fixture[Symbol.asyncDispose]())

  const protocols: [string, () => Transport][] = [
    ['gRPC', () => createGrpcTransport({ baseUrl: fixture.url })],
    ['Connect', () => createConnectTransport({ baseUrl: fixture.url, httpVersion: '2' })],
    ['gRPC-Web', () => createGrpcWebTransport({ baseUrl: fixture.url, httpVersion: '2' })],
  ]

  it.each(protocols)('every method of every service is UNAUTHENTICATED by %s', async (_name, open) => {
    const transport = open()
    expect(methods.length).toBeGreaterThan(50)
    for (const method of methods) {
      const name = `${method.parent.typeName}.${method.name}`
      const error = await failure(call(transport, method, {}))
      expect([name, Code[error.code]]).toEqual([name, 'Unauthenticated'])
      const served = !hostPlane.some(({ typeName }) => typeName === method.parent.typeName)
      if (served) expect([name, error.findDetails(ErrorInfoSchema).map(({ reason }) => reason)]).toEqual([name, ['NO_CREDENTIAL']])
    }
  })

  it.each([
    ['a wrong key', `Bearer berth_${'x'.repeat(43)}`],
    ['no key at all', 'Bearer x'],
    ['another scheme', 'Basic eDp5'],
  ])('%s is refused', async (_name, authorization) => {
    const transport = createGrpcTransport({ baseUrl: fixture.url })
    const method = AccessService.method.getCaller
    expect(await failure(call(transport, method, { authorization }))).toMatchObject({ code: Code.Unauthenticated })
  })

  it.each(protocols)('the host plane and unknown methods are UNIMPLEMENTED, with a key, by %s', async (_name, open) => {
    const transport = open()
    for (const method of hostPlane.flatMap((service) => [...service.methods])) {
      const error = await failure(call(transport, method, { authorization: `Bearer ${fixture.key}` }))
      expect(Code[error.code]).toBe('Unimplemented')
    }
  })
})

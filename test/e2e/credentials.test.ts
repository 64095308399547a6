import { AccessService } from '@berth/proto/berth/access/v1/access_pb.ts'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { DeviceService } from '@berth/proto/berth/device/v1/device_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { ImageHostService } from '@berth/proto/berth/image/host/v1/image_host_pb.ts'
import { ImageService, KernelService } from '@berth/proto/berth/image/v1/image_pb.ts'
import { HostService, InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { NetworkHostService } from '@berth/proto/berth/network/host/v1/network_host_pb.ts'
import { NetworkService } from '@berth/proto/berth/network/v1/network_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { VolumeHostService } from '@berth/proto/berth/volume/host/v1/volume_host_pb.ts'
import { VolumeService } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { Health } from '@berth/proto/grpc/health/v1/health_pb.ts'
import { ServerReflection } from '@berth/proto/grpc/reflection/v1/reflection_pb.ts'
import { create, type DescService, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

const common = [OperationService, EventService, AuditService]
/** What each port serves. */
const PORTS: Readonly<Record<string, { port: number; services: readonly DescService[] }>> = {
  image: { port: 7011, services: [ImageService, KernelService, ImageHostService, ...common] },
  volume: { port: 7012, services: [VolumeService, VolumeHostService, ...common] },
  network: { port: 7013, services: [NetworkService, NetworkHostService, ...common] },
  device: { port: 7014, services: [DeviceService, ...common] },
  instance: { port: 7015, services: [InstanceService, HostService, ...common] },
  gateway: {
    port: 7000,
    services: [
      AccessService,
      ImageService,
      KernelService,
      VolumeService,
      NetworkService,
      DeviceService,
      InstanceService,
      HostService,
      ...common,
    ],
  },
}

const OFFSET = 2000
let system: TestSystem
beforeAll(async () => {
  system = await startLightSystem({ portOffset: OFFSET, env: { BERTH_HYPERVISOR: 'recorder' } })
})
afterAll(() => system?.[Symbol.asyncDispose]())

/** Calls a method with an empty request and gives back the status it ends with. */
function call(port: number, path: string, metadata = new Metadata()): Promise<{ code: number; details: string; received: number }> {
  return new Promise((resolve) => {
    const client = new Client(`127.0.0.1:${port + OFFSET}`, credentials.createInsecure())
    const raw = (bytes: Buffer) => bytes
    const stream = client.makeBidiStreamRequest(path, raw, raw, metadata, { deadline: Date.now() + 10_000 })
    let received = 0
    stream.on('data', () => {
      received += 1
    })
    stream.on('error', () => undefined)
    stream.on('status', ({ code, details }) => {
      client.close()
      resolve({ code, details, received })
    })
    stream.write(Buffer.alloc(0))
    stream.end()
  })
}

describe.each(Object.entries(PORTS))('on the port of %s', (_name, { port, services }) => {
  const methods = [...services, ServerReflection].flatMap((service) =>
    service.methods.map((method) => `/${service.typeName}/${method.name}`),
  )

  it('every method refuses a call without a credential, before anything else', async () => {
    const answers = await Promise.all(methods.map(async (method) => ({ method, ...(await call(port, method)) })))
    expect(answers.filter((answer) => answer.code !== status.UNAUTHENTICATED || answer.received > 0)).toEqual([])
  })

  it('every method refuses a credential that is not one', async () => {
    const metadata = new Metadata()
    metadata.set('authorization', 'Bearer berth_not-a-key')
    const answers = await Promise.all(methods.map(async (method) => ({ method, ...(await call(port, method, metadata)) })))
    expect(answers.filter((answer) => answer.code !== status.UNAUTHENTICATED)).toEqual([])
  })

  it('health alone answers', async () => {
    const request = Buffer.from(toBinary(Health.method.check.input, create(Health.method.check.input)))
    const client = new Client(`127.0.0.1:${port + OFFSET}`, credentials.createInsecure())
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const raw = (bytes: Buffer) => bytes
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', raw, raw, request, (error, value) => (value ? resolve(value) : reject(error)))
    })
    client.close()
    expect(fromBinary(Health.method.check.output, answer).status).toBe(1)
  })
})

it('a key of the gateway is no identity for a service', async () => {
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${system.adminKey}`)
  expect((await call(7015, '/berth.instance.v1.InstanceService/ListInstances', metadata)).code).toBe(status.UNAUTHENTICATED)
})

it('a token for one service is refused by the others, and tenants never reach the host plane', async () => {
  const { token } = await system.api.access.createToken({ audience: 'instance' })
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${token}`)
  expect((await call(7015, '/berth.instance.v1.InstanceService/ListInstances', metadata)).code).toBe(status.OK)
  expect((await call(7012, '/berth.volume.v1.VolumeService/ListVolumes', metadata)).code).toBe(status.UNAUTHENTICATED)
  const { token: volume } = await system.api.access.createToken({ audience: 'volume' })
  const other = new Metadata()
  other.set('authorization', `Bearer ${volume}`)
  expect((await call(7012, '/berth.volume.host.v1.VolumeHostService/ReleaseVolume', other)).code).toBe(status.PERMISSION_DENIED)
  expect((await call(7000, '/berth.volume.host.v1.VolumeHostService/ReleaseVolume', other)).code).not.toBe(status.OK)
})

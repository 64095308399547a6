import { execFile, spawn } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { createClient as createConnectClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { fromBinary, toBinary, create } from '@bufbuild/protobuf'
import {
  GetInstanceRequestSchema,
  GetInstanceResponseSchema,
  ListInstancesRequestSchema,
  ListInstancesResponseSchema,
  WatchInstancesRequestSchema,
  WatchInstancesResponseSchema,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { ErrorInfoSchema } from '@berth/proto/google/rpc/error_details_pb.ts'
import { StatusSchema } from '@berth/proto/google/rpc/status_pb.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

let system: TestSystem
let base: string
let name: string
let id: string

beforeAll(async () => {
  system = await startLightSystem({ portOffset: 1000, env: { BERTH_HYPERVISOR: 'recorder' } })
  base = `http://127.0.0.1:${system.port}`
  const { volume, operation } = await system.api.volumes.createVolume({ name: 'seen', sizeBytes: 1n << 20n })
  await system.api.operations.waitOperation({ id: operation?.id })
  name = volume?.name ?? ''
  id = volume?.id ?? ''
})
afterAll(() => system?.[Symbol.asyncDispose]())

const MISSING = 'ins_00000000000000000000000000'

describe('one port serves every kind of client: each lists, watches and gets the typed error', () => {
  it('curl with JSON over HTTP/1.1', async () => {
    const list = await curl('berth.volume.v1.VolumeService/ListVolumes', {})
    expect(list.body['volumes']).toMatchObject([{ id, name }])
    const missing = await curl('berth.instance.v1.InstanceService/GetInstance', { id: MISSING })
    expect(missing.status).toBe(404)
    expect(missing.body['code']).toBe('not_found')
    expect(JSON.stringify(missing.body['details'])).toContain('google.rpc.ErrorInfo')
    expect(debugReason(missing.body)).toBe('INSTANCE_NOT_FOUND')
    expect(await firstWatched(createConnectTransport({ baseUrl: base, httpVersion: '1.1' }))).toBe('TYPE_BOOKMARK')
  })

  it('a gRPC-Web client over HTTP/1.1', async () => {
    const client = createConnectClient(InstanceService, createGrpcWebTransport({ baseUrl: base, httpVersion: '1.1' }))
    expect((await client.listInstances({}, { headers: bearer() })).instances).toEqual([])
    await expect(client.getInstance({ id: MISSING }, { headers: bearer() })).rejects.toSatisfy(
      (error) => reasonOf(error) === 'INSTANCE_NOT_FOUND',
    )
    expect(await firstWatched(createGrpcWebTransport({ baseUrl: base, httpVersion: '1.1' }))).toBe('TYPE_BOOKMARK')
  })

  it('plain grpc-js, without a line of ours', async () => {
    const client = new Client(`127.0.0.1:${system.port}`, credentials.createInsecure())
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${system.adminKey}`)
    const call = <T>(method: string, request: Uint8Array, parse: (bytes: Buffer) => T) =>
      new Promise<T>((resolve, reject) => {
        const serialize = (bytes: Uint8Array) => Buffer.from(bytes)
        client.makeUnaryRequest(`/berth.instance.v1.InstanceService/${method}`, serialize, parse, request, metadata, (error, value) =>
          error || value === undefined ? reject(error ?? new Error('nothing')) : resolve(value),
        )
      })
    const list = await call('ListInstances', toBinary(ListInstancesRequestSchema, create(ListInstancesRequestSchema)), (bytes) =>
      fromBinary(ListInstancesResponseSchema, bytes),
    )
    expect(list.instances).toEqual([])
    const request = toBinary(GetInstanceRequestSchema, create(GetInstanceRequestSchema, { id: MISSING }))
    const error = await call('GetInstance', request, (bytes) => fromBinary(GetInstanceResponseSchema, bytes)).catch(
      (thrown: ServiceError) => thrown,
    )
    expect(error).toMatchObject({ code: 5 })
    const [details] = (error as ServiceError).metadata.get('grpc-status-details-bin')
    const status = fromBinary(StatusSchema, details as Buffer)
    const info = status.details.find((detail) => detail.typeUrl.endsWith('google.rpc.ErrorInfo'))
    expect(fromBinary(ErrorInfoSchema, info?.value ?? new Uint8Array())).toMatchObject({
      reason: 'INSTANCE_NOT_FOUND',
      domain: 'berth.dev',
    })
    const stop = new AbortController()
    const watched = new Promise<number>((resolve, reject) => {
      const parse = (bytes: Buffer) => fromBinary(WatchInstancesResponseSchema, bytes)
      const bytes = Buffer.from(toBinary(WatchInstancesRequestSchema, create(WatchInstancesRequestSchema)))
      const stream = client.makeServerStreamRequest(
        '/berth.instance.v1.InstanceService/WatchInstances',
        Buffer.from,
        parse,
        bytes,
        metadata,
      )
      stop.signal.addEventListener('abort', () => stream.cancel())
      stream.on('error', reject).once('data', (answer: { type: number }) => resolve(answer.type))
    })
    expect(await watched).toBe(4)
    stop.abort()
    client.close()
  })

  it('buf curl finds the methods by reflection', async () => {
    const buf = path.resolve(import.meta.dirname, '../../node_modules/.bin/buf')
    const header = `Authorization: Bearer ${system.adminKey}`
    const args = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', '--reflect-header', header, '-H', header, '-d', '{}']
    const { stdout } = await promisify(execFile)(buf, [...args, `${base}/berth.volume.v1.VolumeService/ListVolumes`])
    expect(JSON.parse(stdout)).toMatchObject({ volumes: [{ id, name }] })
    const failed = await promisify(execFile)(buf, [
      ...args.slice(0, -1),
      JSON.stringify({ id: MISSING }),
      `${base}/berth.instance.v1.InstanceService/GetInstance`,
    ]).catch((error: { stderr: string }) => error)
    expect(debugReason(JSON.parse(failed.stderr ?? '') as Record<string, unknown>)).toBe('INSTANCE_NOT_FOUND')
    const watching = spawn(buf, [...args, `${base}/berth.volume.v1.VolumeService/WatchVolumes`], { stdio: ['ignore', 'pipe', 'ignore'] })
    let said = ''
    for await (const chunk of watching.stdout) if ((said += String(chunk)).includes('TYPE_BOOKMARK')) break
    watching.kill()
    expect(said).toContain(id)
  })
})

it('without a key every kind of client is refused the same way', async () => {
  const answer = await fetch(`${base}/berth.instance.v1.InstanceService/ListInstances`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  expect(answer.status).toBe(401)
  expect(((await answer.json()) as { code: string }).code).toBe('unauthenticated')
})

const bearer = () => ({ authorization: `Bearer ${system.adminKey}` })

async function curl(method: string, body: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const args = [
    '-sS',
    '-w',
    '\n%{http_code}',
    '-H',
    `Authorization: Bearer ${system.adminKey}`,
    '-H',
    'Content-Type: application/json',
    '-d',
    JSON.stringify(body),
    `${base}/${method}`,
  ]
  const { stdout } = await promisify(execFile)('curl', args)
  const at = stdout.lastIndexOf('\n')
  return { status: Number(stdout.slice(at + 1)), body: JSON.parse(stdout.slice(0, at)) as Record<string, unknown> }
}

function debugReason(body: Record<string, unknown>): unknown {
  const details = body['details'] as { type: string; debug?: { reason?: string }; value: string }[]
  const info = details.find((detail) => detail.type === 'google.rpc.ErrorInfo')
  return info?.debug?.reason ?? fromBinary(ErrorInfoSchema, Buffer.from(info?.value ?? '', 'base64')).reason
}

function reasonOf(error: unknown): string | undefined {
  const { findDetails } = error as { findDetails(schema: typeof ErrorInfoSchema): { reason: string }[] }
  return findDetails.call(error, ErrorInfoSchema)[0]?.reason
}

/** The first answer of a watch on an empty list: the bookmark that says the current state is complete. */
async function firstWatched(transport: ReturnType<typeof createConnectTransport>): Promise<string> {
  const stop = new AbortController()
  const client = createConnectClient(InstanceService, transport)
  for await (const answer of client.watchInstances({}, { headers: bearer(), signal: stop.signal })) {
    stop.abort()
    return answer.type === 4 ? 'TYPE_BOOKMARK' : String(answer.type)
  }
  return 'nothing'
}

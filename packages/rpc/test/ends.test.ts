import { isBerthError } from '@berth/errors'
import { Health } from '@berth/proto/grpc/health/v1/health_pb.ts'
import { VolumeService } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import type { ServiceImpl } from '@connectrpc/connect'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { constants, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { clientOf, connectTo, service } from '../src/index.ts'
import { Echo, startFixture } from './fixture.ts'

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => ({ code: 'OK' }),
    (error: unknown) => (isBerthError(error) ? error : Promise.reject(error)),
  )

function slowEcho() {
  const state = { begun: Promise.withResolvers<void>(), go: Promise.withResolvers<void>(), streamEnded: Promise.withResolvers<void>() }
  const impl = service(Echo, {
    async say({ value }) {
      state.begun.resolve()
      await state.go.promise
      return { value }
    },
    async *count(_request, ctx) {
      try {
        yield { value: '0' }
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
      } finally {
        state.streamEnded.resolve()
      }
    },
    sum: async () => ({}),
    async *chat() {},
    hostOnly: () => ({}),
  })
  return { impl, state }
}

describe('a server that goes without a word', () => {
  it('leaves its calls UNAVAILABLE, not INTERNAL', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' })
      stream.close(constants.NGHTTP2_NO_ERROR)
    })
    using transport = connectTo({ target: `127.0.0.1:${(server.address() as AddressInfo).port}`, identity: '' })
    const client = clientOf(Echo, transport)
    expect(await failure(client.say({ value: 'x' }))).toMatchObject({ code: 'UNAVAILABLE' })
    const streaming = async () => {
      for await (const _ of client.count({}));
    }
    expect(await failure(streaming())).toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('a server that closes', () => {
  it('says so, ends its streams, lets unary calls finish, and takes no new ones', async () => {
    const { impl, state } = slowEcho()
    await using fixture = await startFixture([impl], { drainMs: 10_000 })
    using transport = connectTo({ target: `127.0.0.1:${fixture.server.port}` })
    const seen: number[] = []
    const watching = failure(
      (async () => {
        for await (const { status } of clientOf(Health, transport).watch({})) seen.push(status)
      })(),
    )
    const first = Promise.withResolvers<void>()
    const streaming = failure(
      (async () => {
        for await (const _ of fixture.client.count({})) first.resolve()
      })(),
    )
    const calling = fixture.client.say({ value: 'late' })
    await Promise.all([first.promise, state.begun.promise])
    await expect.poll(() => seen).toEqual([1])
    const closed = fixture.server[Symbol.asyncDispose]()
    expect(await streaming).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' })
    await state.streamEnded.promise
    expect(await watching).toMatchObject({ code: 'UNAVAILABLE' })
    expect(seen).toEqual([1, 2])
    state.go.resolve()
    expect((await calling).value).toBe('late')
    await closed
    expect(await failure(fixture.client.say({ value: 'new' }))).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('ends unary calls too when its time is over', async () => {
    const { impl, state } = slowEcho()
    await using fixture = await startFixture([impl], { drainMs: 100 })
    const calling = failure(fixture.client.say({ value: 'never' }))
    await state.begun.promise
    await fixture.server[Symbol.asyncDispose]()
    expect(await calling).toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('a server that is killed', () => {
  async function startKillable(): Promise<{ child: ChildProcess; port: number; token: string; dataDir: string }> {
    const child = spawn(process.execPath, [new URL('./killable.ts', import.meta.url).pathname], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return { child, ...(JSON.parse(line.toString()) as { port: number; token: string; dataDir: string }) }
  }

  it('makes calls under way and later ones UNAVAILABLE', async () => {
    const { child, port, token, dataDir } = await startKillable()
    onTestFinished(() => {
      child.kill('SIGKILL')
      rmSync(dataDir, { recursive: true })
    })
    using transport = connectTo({ target: `127.0.0.1:${port}`, identity: token })
    const client = clientOf(Echo, transport)
    const first = Promise.withResolvers<void>()
    const streaming = failure(
      (async () => {
        for await (const _ of client.count({})) first.resolve()
      })(),
    )
    await first.promise
    const calling = failure(client.say({}))
    child.kill('SIGKILL')
    expect(await streaming).toMatchObject({ code: 'UNAVAILABLE' })
    expect(await calling).toMatchObject({ code: 'UNAVAILABLE' })
    expect(await failure(client.say({}))).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
  })
})

describe('validation', () => {
  it('names every field at fault by its proto path, and no route is called', async () => {
    const never = async () => Promise.reject(new Error('a route was called'))
    const impl = Object.fromEntries(VolumeService.methods.map(({ localName }) => [localName, never])) as unknown as ServiceImpl<
      typeof VolumeService
    >
    await using fixture = await startFixture([service(VolumeService, impl)])
    using transport = connectTo({ target: `127.0.0.1:${fixture.server.port}`, identity: await fixture.token() })
    const error = await failure(clientOf(VolumeService, transport).createVolume({ name: 'Not A Name', sizeBytes: 1n }))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' })
    expect(isBerthError(error) && error.violations.map(({ field }) => field)).toEqual(expect.arrayContaining(['name', 'size_bytes']))
  })
})

import { failedPrecondition, isBerthError } from '@berth/errors'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callerOf, requestIdOf, service } from '../src/index.ts'
import { Echo, type Fixture, startFixture } from './fixture.ts'

describe('calls over grpc-js', () => {
  let fixture: Fixture
  let ended = Promise.withResolvers<unknown>()

  const impl = service(Echo, {
    async say({ value }, ctx) {
      if (value === 'typed') {
        throw failedPrecondition('NOPE', 'nope ü', { field: 'a.b', metadata: { left: 'right' }, retryAfterMs: 1500 })
      }
      if (value === 'plain') throw new Error('select secret from table')
      if (value === 'slow') await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)))
      if (value === 'deaf') await new Promise(() => undefined)
      if (value === 'caller') return { value: JSON.stringify({ ...callerOf(ctx), token: '' }) }
      if (value === 'request') return { value: requestIdOf(ctx) }
      if (value === 'time') return { value: String(ctx.timeoutMs()) }
      return { value }
    },
    async *count({ value }, ctx) {
      try {
        for (let i = 0; i < Number(value); i++) {
          if (i > 1000) await new Promise((resolve) => setTimeout(resolve, 1))
          yield { value: String(i) }
        }
      } finally {
        ended.resolve(ctx.signal.reason)
      }
    },
    async sum(requests) {
      let total = 0
      for await (const { value } of requests) total += Number(value)
      return { value: String(total) }
    },
    async *chat(requests) {
      for await (const { value } of requests) yield { value: `<${value}>` }
    },
    hostOnly: () => ({ value: 'host' }),
  })

  beforeAll(async () => {
    fixture = await startFixture([impl])
  })
  afterAll(() => fixture[Symbol.asyncDispose]())

  const failure = async (promise: Promise<unknown>) => {
    const error = await promise.then(
      () => new Error('it did not fail'),
      (reason: unknown) => reason,
    )
    if (!isBerthError(error)) throw error
    return error
  }

  it('answers a unary call', async () => {
    expect((await fixture.client.say({ value: 'hi' })).value).toBe('hi')
  })

  it('streams to the client in order', async () => {
    const seen: number[] = []
    for await (const { value } of fixture.client.count({ value: '1000' })) seen.push(Number(value))
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  })

  it('streams to the server', async () => {
    async function* numbers() {
      for (let i = 1; i <= 1000; i++) yield { value: String(i) }
    }
    expect((await fixture.client.sum(numbers())).value).toBe('500500')
  })

  it('carries a conversation in which each request waits for the answer before it', async () => {
    let go = Promise.withResolvers<void>()
    async function* questions() {
      for (const value of ['a', 'b', 'c']) {
        yield { value }
        await go.promise
        go = Promise.withResolvers()
      }
    }
    const seen: string[] = []
    for await (const { value } of fixture.client.chat(questions())) {
      seen.push(value)
      go.resolve()
    }
    expect(seen).toEqual(['<a>', '<b>', '<c>'])
  })

  it('gives the client the error that the route threw, with all it carried', async () => {
    const error = await failure(fixture.client.say({ value: 'typed' }))
    expect(error).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'NOPE',
      message: 'nope ü',
      metadata: { left: 'right' },
      retryAfterMs: 1500,
    })
    expect(error.violations).toEqual([{ field: 'a.b', description: 'nope ü' }])
  })

  it('hides what is not of the vocabulary behind INTERNAL and the id of the request', async () => {
    const error = await failure(fixture.client.say({ value: 'plain' }, { headers: { 'x-request-id': 'r-1' } }))
    expect(error).toMatchObject({ code: 'INTERNAL', reason: 'INTERNAL', message: 'internal error', metadata: { request_id: 'r-1' } })
  })

  it('ends a call at its deadline, also when the route does not listen', async () => {
    for (const value of ['slow', 'deaf']) {
      expect(await failure(fixture.client.say({ value }, { timeoutMs: 100 }))).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    }
  })

  it('tells the route the time the client gave, and 30 s when it gave none', async () => {
    const given = Number((await fixture.client.say({ value: 'time' }, { timeoutMs: 5000 })).value)
    expect(given).toBeGreaterThan(4000)
    expect(given).toBeLessThanOrEqual(5000)
    const none = Number((await fixture.client.say({ value: 'time' }, { timeoutMs: 0 })).value)
    expect(none).toBeGreaterThan(29_000)
    expect(none).toBeLessThanOrEqual(30_000)
  })

  it('refuses a unary deadline beyond the limit', async () => {
    const error = await failure(fixture.client.say({ value: 'time' }, { timeoutMs: 3_600_000 }))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TIMEOUT_TOO_LONG' })
  })

  it('cancels the route when the client aborts, before or during the call', async () => {
    const signal = AbortSignal.timeout(50)
    expect(await failure(fixture.client.say({ value: 'slow' }, { signal }))).toMatchObject({ code: 'CANCELLED' })
    expect(await failure(fixture.client.say({ value: 'slow' }, { signal: AbortSignal.abort() }))).toMatchObject({ code: 'CANCELLED' })
  })

  it('stops the route when the client leaves the loop', async () => {
    ended = Promise.withResolvers()
    for await (const { value } of fixture.client.count({ value: '1000000' })) if (value === '5') break
    expect(await ended.promise).toMatchObject({ code: 1 })
  })

  it('ends a stream at the deadline its client gave', async () => {
    ended = Promise.withResolvers()
    const read = async () => {
      for await (const _ of fixture.client.count({ value: '1000000' }, { timeoutMs: 200 }));
    }
    expect(await failure(read())).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await ended.promise
  })

  it('refuses a message beyond the limit with its reason, alone and in a stream', async () => {
    const value = 'x'.repeat(5 * 1024 * 1024)
    const expected = { code: 'RESOURCE_EXHAUSTED', reason: 'MESSAGE_TOO_LARGE', metadata: { limit_bytes: '4194304' } }
    expect(await failure(fixture.client.say({ value }))).toMatchObject(expected)
    async function* large() {
      yield { value }
    }
    expect(await failure(fixture.client.sum(large()))).toMatchObject(expected)
  })

  it('echoes the id of the request, and makes one when there is none or it is no plain word', async () => {
    let header: Headers | undefined
    const onHeader = (headers: Headers) => {
      header = headers
    }
    expect((await fixture.client.say({ value: 'request' }, { headers: { 'x-request-id': 'abc-1' }, onHeader })).value).toBe('abc-1')
    expect(header?.get('x-request-id')).toBe('abc-1')
    expect((await fixture.client.say({ value: 'request' }, { headers: { 'x-request-id': 'a b' } })).value).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('tells the route who calls', async () => {
    const caller = JSON.parse((await fixture.client.say({ value: 'caller' })).value)
    expect(caller).toEqual({ actor: 'key_test', project: 'default', roles: ['admin'], plane: 'public', token: '' })
  })
})

import { isBerthError, unavailable } from '@berth/errors'
import { callerOf, connectTo, type GrpcTransport, requestIdOf } from '@berth/rpc'
import type { HandlerContext } from '@connectrpc/connect'
import type { ServiceTokens } from '../identity/service-tokens.ts'

/** One of the five services as the gateway calls it. */
export type Peer = Disposable & {
  name: string
  transport: GrpcTransport
  /** What goes along with a call made for a caller: its identity for this service, the request id, tracing. */
  headersFor(ctx: HandlerContext): Promise<Record<string, string>>
}

const passedOn = ['traceparent', 'tracestate', 'baggage']

/** A peer that is connected to when it is first called. Its being away is said with its name, and not with its address. */
export function openPeer(name: string, target: string, tokens: ServiceTokens): Peer {
  const inner = connectTo({ target, channelOptions: { 'grpc.max_receive_message_length': 64 * 1024 * 1024 } })
  return {
    name,
    transport: {
      channel: inner.channel,
      [Symbol.dispose]: () => inner[Symbol.dispose](),
      unary: (...args) => inner.unary(...args).catch((error: unknown) => Promise.reject(named(error, name))),
      async stream(...args) {
        const response = await inner.stream(...args).catch((error: unknown) => Promise.reject(named(error, name)))
        return { ...response, message: namedErrors(response.message, name) }
      },
    },
    async headersFor(ctx) {
      const headers: Record<string, string> = {
        authorization: `Bearer ${await tokens(callerOf(ctx), name)}`,
        'x-request-id': requestIdOf(ctx),
      }
      for (const key of passedOn) {
        const value = ctx.requestHeader.get(key)
        if (value) headers[key] = value
      }
      return headers
    },
    [Symbol.dispose]: () => inner[Symbol.dispose](),
  }
}

/** A service that cannot be reached has no reason of its own: grpc-js says only that the connection failed, and where to. */
function named(error: unknown, service: string): unknown {
  if (!isBerthError(error) || error.code !== 'UNAVAILABLE' || error.reason !== 'UNAVAILABLE') return error
  return unavailable('SERVICE_UNAVAILABLE', `the service ${service} cannot be reached`, {
    metadata: { service },
    retryAfterMs: 1000,
    cause: error,
  })
}

async function* namedErrors<T>(messages: AsyncIterable<T>, service: string): AsyncGenerator<T> {
  try {
    yield* messages
  } catch (error) {
    throw named(error, service)
  }
}

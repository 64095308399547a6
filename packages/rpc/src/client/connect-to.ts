import type { Interceptor } from '@connectrpc/connect'
import type { ChannelOptions } from '@grpc/grpc-js'
import { fromConnectError } from '../errors/from-connect.ts'
import type { TokenSource } from '../identity/host-identity.ts'
import { type GrpcTransport, grpcTransport } from './transport.ts'

export type ConnectToOptions = {
  /** Where to: `host:port`. */
  target: string
  /** `hostIdentity(…)`, or a token that stays the same; undefined sends none. An `authorization` header of a call goes before it. */
  identity?: TokenSource | string
  /** Time of a unary call that says none, in milliseconds; default 30 s. */
  defaultTimeoutMs?: number
  channelOptions?: ChannelOptions
}

const channelDefaults: ChannelOptions = {
  'grpc.max_receive_message_length': 8 * 1024 * 1024,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // A neighbour that is started again is found again at once.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
}

/**
 * A transport to another service. It connects with the first call, and again whenever it must; calls made while the other is down
 * fail with UNAVAILABLE. All errors are BerthErrors. Dispose it to close its connection.
 */
export function connectTo({ target, identity, defaultTimeoutMs = 30_000, channelOptions }: ConnectToOptions): GrpcTransport {
  const interceptors = identity === undefined ? [] : [withToken(identity)]
  const inner = grpcTransport({ target, interceptors, defaultTimeoutMs, channelOptions: { ...channelDefaults, ...channelOptions } })
  return {
    channel: inner.channel,
    [Symbol.dispose]: () => inner[Symbol.dispose](),
    async unary(...args) {
      try {
        return await inner.unary(...args)
      } catch (error) {
        throw fromConnectError(error)
      }
    },
    async stream(...args) {
      try {
        const response = await inner.stream(...args)
        return { ...response, message: typed(response.message) }
      } catch (error) {
        throw fromConnectError(error)
      }
    },
  }
}

async function* typed<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages
  } catch (error) {
    throw fromConnectError(error)
  }
}

function withToken(identity: TokenSource | string): Interceptor {
  return (next) => async (request) => {
    if (!request.header.has('authorization')) {
      const token = typeof identity === 'string' ? identity : await identity()
      request.header.set('authorization', `Bearer ${token}`)
    }
    return next(request)
  }
}

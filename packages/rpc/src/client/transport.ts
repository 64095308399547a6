import { create, type DescMessage, type DescMethod, type MessageInitShape } from '@bufbuild/protobuf'
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type Interceptor,
  type Transport,
  type UnaryRequest,
  type UnaryResponse,
} from '@connectrpc/connect'
import { createMethodUrl, runStreamingCall } from '@connectrpc/connect/protocol'
import { Channel, type ChannelOptions, credentials } from '@grpc/grpc-js'
import { streamCall } from './stream-call.ts'
import { unaryCall } from './unary-call.ts'

export type GrpcTransportOptions = {
  /** Where to: `host:port`, or any name grpc-js resolves (`dns:///…`, `ipv4:a:1,b:2`, `unix:/path`). */
  target: string
  interceptors?: Interceptor[]
  /** Time of a unary call that says none, in milliseconds; undefined is for ever. */
  defaultTimeoutMs?: number
  channelOptions?: ChannelOptions
}

export type GrpcTransport = Transport & Disposable & { channel: Channel }

type HeadersInit = ConstructorParameters<typeof Headers>[0]

/** Connect's clients on a grpc-js channel: its name resolution, balancing, reconnection and keepalive below, typed clients above. */
export function grpcTransport({ target, interceptors, defaultTimeoutMs, channelOptions }: GrpcTransportOptions): GrpcTransport {
  const channel = new Channel(target, credentials.createInsecure(), channelOptions ?? {})
  const base = `http://${target.replace(/^[a-z]+:\/*/, '')}`
  const common = (method: DescMethod, header: HeadersInit | undefined, contextValues: ContextValues | undefined) => ({
    service: method.parent,
    requestMethod: 'POST' as const,
    url: createMethodUrl(base, method),
    header: new Headers(header),
    contextValues: contextValues ?? createContextValues(),
  })
  return {
    channel,
    [Symbol.dispose]: () => channel.close(),
    unary(method, signal, asked, header, message, contextValues) {
      const timeoutMs = limit(asked ?? defaultTimeoutMs)
      const req = { ...common(method, header, contextValues), stream: false as const, method, message }
      return runUnary(req, signal, interceptors, (request) => unaryCall(channel, method, timeoutMs, request))
    },
    stream(method, signal, asked, header, message, contextValues) {
      const timeoutMs = limit(asked)
      const req = { ...common(method, header, contextValues), stream: true as const, method, message }
      return runStreamingCall({ interceptors, signal, timeoutMs, req, next: (request) => streamCall(channel, method, timeoutMs, request) })
    },
  }
}

type Unary<I extends DescMessage, O extends DescMessage> = (request: UnaryRequest<I, O>) => Promise<UnaryResponse<I, O>>
type Begun<I extends DescMessage, O extends DescMessage> = Omit<UnaryRequest<I, O>, 'message' | 'signal'> & {
  message: MessageInitShape<I>
}

/** As Connect's `runUnaryCall`, which makes two signals and an error for each call; here the channel keeps the deadline. */
async function runUnary<I extends DescMessage, O extends DescMessage>(
  { message, ...rest }: Begun<I, O>,
  signal: AbortSignal | undefined,
  interceptors: readonly Interceptor[] = [],
  call: Unary<I, O>,
): Promise<UnaryResponse<I, O>> {
  const request = { ...rest, signal: signal ?? new AbortController().signal, message: create(rest.method.input, message) }
  const run = interceptors.reduceRight((next, interceptor) => interceptor(next as never) as never, call)
  try {
    return await run(request)
  } catch (error) {
    throw request.signal.aborted ? ConnectError.from(request.signal.reason, Code.Canceled) : ConnectError.from(error)
  }
}

/** Connect's clients say “no limit” by 0 or less. */
function limit(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined || timeoutMs <= 0 ? undefined : timeoutMs
}

import type { DescService } from '@bufbuild/protobuf'
import { type CallOptions, type Client, createClient, type Transport } from '@connectrpc/connect'

type StreamMethod = (request: unknown, options?: CallOptions) => AsyncIterable<unknown>

/**
 * A typed client of a service. Unlike Connect's own, leaving the loop over a stream (`break`, `return`, an error) cancels the call,
 * so that the server does not go on for nobody.
 */
export function clientOf<T extends DescService>(desc: T, transport: Transport): Client<T> {
  const plain = createClient(desc, transport) as Record<string, unknown>
  const client: Record<string, unknown> = { ...plain }
  for (const { localName, methodKind } of desc.methods) {
    if (methodKind !== 'server_streaming' && methodKind !== 'bidi_streaming') continue
    client[localName] = cancelledOnLeave(plain[localName] as StreamMethod)
  }
  return client as Client<T>
}

function cancelledOnLeave(method: StreamMethod): StreamMethod {
  return (request, options) => ({
    async *[Symbol.asyncIterator]() {
      const left = new AbortController()
      const signal = options?.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal
      try {
        yield* method(request, { ...options, signal })
      } finally {
        left.abort()
      }
    },
  })
}

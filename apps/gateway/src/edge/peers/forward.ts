import { defaultLimits, policyOf, type ServiceEntry, unaryTimeoutMs } from '@berth/rpc'
import type { DescMessage, DescMethod, DescMethodStreaming, DescMethodUnary, DescService, Message, MessageShape } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import type { Peer } from './peer.ts'

type Messages = AsyncIterable<Message>

/**
 * Routes that hand every method of a service on to its owner: message, deadline and cancel through, errors back with all they carry.
 * Only services of the public plane may be handed on; throws for any other.
 */
export function forwardService(desc: DescService, peer: Peer): ServiceEntry {
  const impl: Record<string, unknown> = {}
  for (const method of desc.methods) {
    const policy = policyOf(method)
    if (policy.kind !== 'granted' || policy.plane !== 'public') throw new Error(`${desc.typeName}.${method.name} is not for the public`)
    impl[method.localName] = routeOf(method, peer)
  }
  return { desc, impl }
}

function routeOf(method: DescMethod, peer: Peer) {
  switch (method.methodKind) {
    case 'unary':
      return (request: Message, ctx: HandlerContext) => forwardUnary(method as DescMethodUnary, peer, request, ctx)
    case 'client_streaming':
      return (requests: Messages, ctx: HandlerContext) => forwardUpload(method as DescMethodStreaming, peer, requests, ctx)
    case 'server_streaming':
      return (request: Message, ctx: HandlerContext) => forwardStream(method as DescMethodStreaming, peer, once(request), ctx)
    case 'bidi_streaming':
      return (requests: Messages, ctx: HandlerContext) => forwardStream(method as DescMethodStreaming, peer, requests, ctx)
  }
}

async function forwardUnary(method: DescMethodUnary, peer: Peer, request: Message, ctx: HandlerContext): Promise<Message> {
  const timeoutMs = unaryTimeoutMs(defaultLimits, ctx.timeoutMs(), request)
  const response = await peer.transport.unary(method, ctx.signal, timeoutMs, await peer.headersFor(ctx), request)
  return response.message
}

async function forwardUpload(method: DescMethodStreaming, peer: Peer, requests: Messages, ctx: HandlerContext): Promise<Message> {
  let answer: Message | undefined
  for await (const message of forwardStream(method, peer, requests, ctx)) answer = message
  if (!answer) throw new Error(`${peer.name} ended ${method.name} without an answer`)
  return answer
}

async function* forwardStream(
  method: DescMethodStreaming,
  peer: Peer,
  requests: Messages,
  ctx: HandlerContext,
): AsyncGenerator<MessageShape<DescMessage>> {
  const left = new AbortController()
  const signal = AbortSignal.any([ctx.signal, left.signal])
  try {
    const response = await peer.transport.stream(method, signal, ctx.timeoutMs(), await peer.headersFor(ctx), requests)
    yield* response.message
  } finally {
    // Connect's streams do not hear that nobody reads them any more.
    left.abort()
  }
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield item
}

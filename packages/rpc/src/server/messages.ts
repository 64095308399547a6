import { create, type DescMessage, type DescMethod, isMessage, type Message, type MessageInitShape } from '@bufbuild/protobuf'
import type { Metadata } from '@grpc/grpc-js'
import type { ConnectError, HandlerContext } from '@connectrpc/connect'
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc'
import type { Readable } from 'node:stream'
import { toMetadata } from '../metadata.ts'
import { decodeRequest } from './decode.ts'
import type { Limits } from './limits.ts'
import { itemsUntilAborted } from './until-aborted.ts'

export type Output = MessageInitShape<DescMessage>
/** A route, whatever its kind: one message or a stream in, one message or a stream out. */
export type Route = (request: never, ctx: HandlerContext) => Output | Promise<Output> | AsyncIterable<Output>

export type GrpcStatus = { code: number; details: string; metadata: Metadata }

/** The whole message of what a route answered, which may be a plain object with some of its fields. */
export function whole(method: DescMethod, output: Output): Message {
  return isMessage(output) ? output : create(method.output, output)
}

/** The request messages, each read and checked as it is asked for; ends with the call's signal. */
export async function* requestMessages(call: Readable, method: DescMethod, limits: Limits, signal: AbortSignal): AsyncGenerator<Message> {
  // Leaving the loop must not destroy the call: the answer still goes out over it.
  const raw: AsyncIterable<Buffer> = { [Symbol.asyncIterator]: () => call.iterator({ destroyOnReturn: false }) }
  for await (const bytes of itemsUntilAborted(raw, signal)) yield decodeRequest(method, limits, bytes)
}

/** The error in the form in which grpc-js sends it. */
export function grpcStatus(error: ConnectError): GrpcStatus {
  const trailer = new Headers()
  setTrailerStatus(trailer, error)
  return { code: error.code, details: error.rawMessage, metadata: toMetadata(trailer) }
}

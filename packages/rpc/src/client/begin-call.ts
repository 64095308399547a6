import type { DescMethod, Message } from '@bufbuild/protobuf'
import { toBinary } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { findTrailerError } from '@connectrpc/connect/protocol-grpc'
import { type Channel, type Metadata, status as Status } from '@grpc/grpc-js'

export type GrpcCall = ReturnType<Channel['createCall']>
export type EndStatus = { code: number; details: string; metadata: Metadata }

/** Begins a call that ends when the signal fires. `forget` takes the listener off the signal. */
export function beginCall(
  channel: Channel,
  method: DescMethod,
  timeoutMs: number | undefined,
  signal: AbortSignal,
): { call: GrpcCall; forget: () => void } {
  signal.throwIfAborted()
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs
  const call = channel.createCall(`/${method.parent.typeName}/${method.name}`, deadline, null, null, null)
  const onAbort = (): void => {
    const reason = ConnectError.from(signal.reason)
    call.cancelWithStatus(reason.code === Code.DeadlineExceeded ? Status.DEADLINE_EXCEEDED : Status.CANCELLED, reason.rawMessage)
  }
  signal.addEventListener('abort', onAbort)
  return { call, forget: () => signal.removeEventListener('abort', onAbort) }
}

/** The bytes of a request. */
export function requestBytes(method: DescMethod, message: Message): Buffer {
  const bytes = toBinary(method.input, message)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** What grpc-js says, as INTERNAL, of a stream that ended without a status of its server, or whose connection could not be written to. */
const brokenOff = /^Received RST_STREAM with code (0 \(Call ended without gRPC status\)|\d+ triggered by internal client error)/

/** The error of a call that ended badly, details included. A call whose connection broke is UNAVAILABLE, however it broke. */
export function errorOf(end: EndStatus, trailer: Headers): ConnectError {
  if (end.code === Status.INTERNAL && brokenOff.test(end.details)) return new ConnectError(end.details, Code.Unavailable)
  const headers = new Headers(trailer)
  headers.set('grpc-status', String(end.code))
  headers.set('grpc-message', encodeURIComponent(end.details))
  return findTrailerError(headers) ?? new ConnectError(end.details, Code.Unknown)
}

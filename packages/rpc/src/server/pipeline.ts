import type { DescMethod } from '@bufbuild/protobuf'
import type { ConnectError, HandlerContext } from '@connectrpc/connect'
import { requestIdOf } from '../caller.ts'
import { toConnectError } from '../errors/to-connect.ts'
import type { Gate } from '../gates/gate.ts'
import { requestIdHeader } from '../gates/request-id.ts'
import type { Limits } from './limits.ts'

/** What every call of a server goes through. */
export type Pipeline = {
  gates: Gate[]
  limits: Limits
  /** Ends streams when the server begins to close. */
  drainSignal: AbortSignal
  /** Ends unary calls when the time to close is over. */
  forceSignal: AbortSignal
  record: CallRecord
}

/** Told of every call that ended; `error` is what was thrown, `sent` what the client got. */
export type CallRecord = (end: { method: DescMethod; requestId: string; durationMs: number; sent?: ConnectError; error?: unknown }) => void

/** Echoes the request id; to be called once the gates have set it. */
export function echoRequestId(ctx: HandlerContext): void {
  ctx.responseHeader.set(requestIdHeader, requestIdOf(ctx))
}

/** Writes the good end of a call down. */
export function recordDone(pipeline: Pipeline, ctx: HandlerContext, startMs: number): void {
  pipeline.record({ method: ctx.method, requestId: requestIdOf(ctx), durationMs: performance.now() - startMs })
}

/** Makes of what was thrown what the client gets, and writes both down. */
export function recordFailed(pipeline: Pipeline, ctx: HandlerContext, startMs: number, error: unknown): ConnectError {
  const requestId = requestIdOf(ctx)
  const sent = toConnectError(abortReason(error, ctx.signal), requestId)
  if (requestId) sent.metadata.set(requestIdHeader, requestId)
  pipeline.record({ method: ctx.method, requestId, durationMs: performance.now() - startMs, sent, error })
  return sent
}

/** Node's own functions throw an AbortError without the reason of the signal that stopped them. */
function abortReason(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted && error instanceof Error && error.name === 'AbortError' ? signal.reason : error
}

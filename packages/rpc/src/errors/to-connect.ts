import { type ErrorCode, errorCodes, errorDomain, isBerthError, machineError } from '@berth/errors'
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema, RetryInfoSchema } from '@berth/proto/google/rpc/error_details_pb.ts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'

/**
 * The error as it goes over the wire: a `google.rpc.Status` with exactly one ErrorInfo, BadRequest when fields are at fault,
 * RetryInfo when it says when to come back, and RequestInfo. What is neither a BerthError nor a ConnectError nor
 * an exhausted machine's becomes INTERNAL without its text.
 *
 * @param requestId goes into RequestInfo; empty leaves it out
 */
export function toConnectError(thrown: unknown, requestId: string): ConnectError {
  const error = machineError(thrown) ?? thrown
  if (isBerthError(error)) {
    const connect = new ConnectError(error.message, errorCodes[error.code] as Code, undefined, undefined, error)
    connect.details.push({ desc: ErrorInfoSchema, value: info(error.reason, error.metadata) })
    if (error.violations.length > 0) connect.details.push({ desc: BadRequestSchema, value: { fieldViolations: error.violations } })
    if (error.retryAfterMs !== undefined)
      connect.details.push({ desc: RetryInfoSchema, value: { retryDelay: duration(error.retryAfterMs) } })
    return withRequest(connect, requestId)
  }
  if (error instanceof ConnectError) return withRequest(withInfo(error), requestId)
  const hidden = new ConnectError('internal error', Code.Internal, undefined, undefined, error)
  hidden.details.push({ desc: ErrorInfoSchema, value: info('INTERNAL', {}) })
  return withRequest(hidden, requestId)
}

/** Reason of an error that carries none: the name of its code. */
export function reasonOf(code: Code): string {
  const name = Object.entries(errorCodes).find(([, number]) => number === (code as number))?.[0]
  return (name as ErrorCode | undefined) ?? 'INTERNAL'
}

function withInfo(error: ConnectError): ConnectError {
  if (error.findDetails(ErrorInfoSchema).length > 0) return error
  // A library's own UNKNOWN or INTERNAL may quote what was thrown.
  const known = error.code !== Code.Unknown && error.code !== Code.Internal
  const typed = new ConnectError(
    known ? error.rawMessage : 'internal error',
    known ? error.code : Code.Internal,
    undefined,
    undefined,
    error,
  )
  typed.details = [{ desc: ErrorInfoSchema, value: info(reasonOf(typed.code), {}) }, ...error.details]
  return typed
}

function withRequest(error: ConnectError, requestId: string): ConnectError {
  if (!requestId || error.findDetails(RequestInfoSchema).length > 0) return error
  error.details.push({ desc: RequestInfoSchema, value: { requestId } })
  return error
}

function info(reason: string, metadata: Record<string, string>): MessageInitShape<typeof ErrorInfoSchema> {
  return { reason, domain: errorDomain, metadata }
}

function duration(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.round(ms % 1000) * 1_000_000 }
}

import { BerthError, codeOfNumber, isBerthError } from '@berth/errors'
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema, RetryInfoSchema } from '@berth/proto/google/rpc/error_details_pb.ts'
import { ConnectError } from '@connectrpc/connect'
import { reasonOf } from './to-connect.ts'

/**
 * The BerthError that a call failed with, so that both sides of the wire throw the same. Without details the reason is the
 * name of the code; an INTERNAL one carries the id of the request in `metadata.request_id`.
 */
export function fromConnectError(error: unknown): BerthError {
  if (isBerthError(error)) return error
  const connect = ConnectError.from(error)
  const info = connect.findDetails(ErrorInfoSchema)[0]
  const code = codeOfNumber(connect.code)
  const requestId = connect.findDetails(RequestInfoSchema)[0]?.requestId
  const delay = connect.findDetails(RetryInfoSchema)[0]?.retryDelay
  return new BerthError(code, info?.reason || reasonOf(connect.code), connect.rawMessage, {
    metadata: { ...info?.metadata, ...(code === 'INTERNAL' && requestId ? { request_id: requestId } : {}) },
    violations: connect
      .findDetails(BadRequestSchema)
      .flatMap((bad) => bad.fieldViolations.map(({ field, description }) => ({ field, description }))),
    retryAfterMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1_000_000,
    cause: error,
  })
}

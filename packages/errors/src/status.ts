import { BerthError, isBerthError, type Violation } from './berth-error.ts'
import { codeOfNumber, errorCodes } from './codes.ts'
import { machineError } from './machine.ts'

/** An error as plain JSON, for rows and journals; `code` is the gRPC number. */
export type ErrorStatus = {
  code: number
  message: string
  reason: string
  metadata: Record<string, string>
  violations: Violation[]
  retryAfterMs?: number
}

/** Makes plain JSON of an error. What is neither a BerthError nor an exhausted machine's becomes INTERNAL without its text: it may hold SQL or a path. */
export function toStatus(thrown: unknown): ErrorStatus {
  const error = machineError(thrown) ?? thrown
  if (!isBerthError(error))
    return { code: errorCodes.INTERNAL, message: 'internal error', reason: 'INTERNAL', metadata: {}, violations: [] }
  return {
    code: errorCodes[error.code],
    message: error.message,
    reason: error.reason,
    metadata: { ...error.metadata },
    violations: error.violations.map((violation) => ({ ...violation })),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  }
}

/** Makes the error again from what `toStatus` made; missing parts are empty. */
export function fromStatus(status: Partial<ErrorStatus> & { code: number }): BerthError {
  return new BerthError(codeOfNumber(status.code), status.reason || 'INTERNAL', status.message ?? '', {
    metadata: status.metadata,
    violations: status.violations,
    retryAfterMs: status.retryAfterMs,
  })
}

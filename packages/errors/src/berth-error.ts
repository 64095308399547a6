import { type ErrorCode, isRetryableCode } from './codes.ts'

/** Domain of every `google.rpc.ErrorInfo` of the system. */
export const errorDomain = 'berth.dev'

/** One field of a request that is wrong: `field` is its proto path, e.g. `spec.memory_bytes`. */
export type Violation = { field: string; description: string }

export type ErrorOptions = {
  /** Proto path of the field at fault; becomes one violation with the message as its description. */
  field?: string
  /** All fields at fault, when there are several. */
  violations?: Violation[]
  /** Facts a program can act on; values are short and hold no secret, host path or SQL. */
  metadata?: Record<string, string>
  /** When trying again makes sense, in milliseconds from now; 0 is at once, unset says nothing. Also makes the error retryable. */
  retryAfterMs?: number
  /** What lies behind it; stays in the log. */
  cause?: unknown
}

/** The one error that crosses borders. Anything else that is thrown reaches callers as INTERNAL with a request id. */
export class BerthError extends Error {
  readonly code: ErrorCode
  /** UPPER_SNAKE_CASE word a program can act on, e.g. `IMAGE_NOT_FOUND`. */
  readonly reason: string
  readonly metadata: Record<string, string>
  readonly violations: Violation[]
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, reason: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BerthError'
    this.code = code
    this.reason = reason
    this.metadata = { ...options.metadata }
    const own = options.field === undefined ? [] : [{ field: options.field, description: message }]
    this.violations = [...own, ...(options.violations ?? [])]
    this.retryAfterMs = options.retryAfterMs
  }

  /** Whether the same call may succeed later without a change by the caller. */
  get retryable(): boolean {
    return this.retryAfterMs !== undefined || isRetryableCode(this.code)
  }
}

/** True for errors of this vocabulary, also across two copies of this package in one process. */
export function isBerthError(error: unknown): error is BerthError {
  return error instanceof BerthError || (error instanceof Error && error.name === 'BerthError' && 'reason' in error && 'code' in error)
}

import { BerthError, type ErrorOptions } from './berth-error.ts'
import type { ErrorCode } from './codes.ts'

type Maker = (reason: string, message: string, options?: ErrorOptions) => BerthError

function maker(code: ErrorCode): Maker {
  return (reason, message, options) => new BerthError(code, reason, message, options)
}

/** Wrong whatever the state; name the `field`. */
export const invalidArgument: Maker = maker('INVALID_ARGUMENT')
/** No such resource in the caller's project. */
export const notFound: Maker = maker('NOT_FOUND')
/** The name is taken. */
export const alreadyExists: Maker = maker('ALREADY_EXISTS')
/** The state must change first; naming both states helps. */
export const failedPrecondition: Maker = maker('FAILED_PRECONDITION')
/** A stale etag, or other exclusive work is under way. */
export const aborted: Maker = maker('ABORTED')
/** Quota, disk, memory or a size limit. */
export const resourceExhausted: Maker = maker('RESOURCE_EXHAUSTED')
/** Something needed cannot be reached now; the only code clients retry by themselves. */
export const unavailable: Maker = maker('UNAVAILABLE')
/** No credential, or none that holds. */
export const unauthenticated: Maker = maker('UNAUTHENTICATED')
/** A good credential that does not allow this. */
export const permissionDenied: Maker = maker('PERMISSION_DENIED')
/** Past the end, or older than is kept. */
export const outOfRange: Maker = maker('OUT_OF_RANGE')
/** The caller gave up, or somebody asked for the end. */
export const cancelled: Maker = maker('CANCELLED')
/** Time is over. */
export const deadlineExceeded: Maker = maker('DEADLINE_EXCEEDED')
/** No such method. */
export const unimplemented: Maker = maker('UNIMPLEMENTED')
/** A mistake of ours. */
export const internal: Maker = maker('INTERNAL')
/** Stored bytes are not what was stored. */
export const dataLoss: Maker = maker('DATA_LOSS')

import { type BerthError, failedPrecondition, isBerthError, notFound, permissionDenied, unavailable } from '@berth/errors'

/** A failure that may pass: the request is tried again while tries are left. */
export class Transient extends Error {
  /** How long the registry asked to wait, in milliseconds; undefined when it did not say. */
  readonly waitMs: number | undefined

  constructor(message: string, options?: { waitMs?: number | undefined; cause?: unknown }) {
    super(message, { cause: options?.cause })
    this.waitMs = options?.waitMs
  }
}

/** What the registry does is against a rule that protects this host or its credentials. */
export const untrusted = (why: string): BerthError => failedPrecondition('REGISTRY_UNTRUSTED', `the registry is not followed: ${why}`)

export const denied = (registry: string, status: number): BerthError =>
  permissionDenied('REGISTRY_DENIED', `the registry ${registry} does not give this image to us (HTTP ${status})`, {
    metadata: { registry },
  })

export const imageNotFound = (registry: string): BerthError =>
  notFound('IMAGE_NOT_FOUND', `the registry ${registry} has no such image`, { field: 'reference', metadata: { registry } })

/** The error callers get when all tries are used up, or at once for what no retry cures. */
export function unreachable(registry: string, cause: unknown): BerthError {
  if (isBerthError(cause)) return cause
  const retryAfterMs = cause instanceof Transient ? cause.waitMs : undefined
  const why = cause instanceof Transient ? cause.message : 'the connection failed'
  return unavailable('REGISTRY_UNAVAILABLE', `the registry ${registry} cannot be used now: ${why}`, {
    metadata: { registry },
    cause,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

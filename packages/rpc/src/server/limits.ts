import { invalidArgument, resourceExhausted } from '@berth/errors'
import { isMessage, type Message } from '@bufbuild/protobuf'
import { durationMs, DurationSchema } from '@bufbuild/protobuf/wkt'

export type Limits = {
  /** Largest message taken, in bytes; default 4 MiB. */
  receiveBytes: number
  /** Time of a unary call whose client says none, in milliseconds; default 30 s. */
  defaultTimeoutMs: number
  /** Longest time a client may ask for in a unary call, in milliseconds; default 300 s. */
  maxTimeoutMs: number
  /** How long calls under way may go on when the server closes, in milliseconds; default 25 s. */
  drainMs: number
}

export const defaultLimits: Limits = { receiveBytes: 4 * 1024 * 1024, defaultTimeoutMs: 30_000, maxTimeoutMs: 300_000, drainMs: 25_000 }

/** A wait of 300 s needs a little longer than 300 s to be answered. */
const graceMs = 5_000

/**
 * Time a unary call gets. A request with a `timeout` of its own (the Wait calls) gets that and a little more when its client
 * names no deadline.
 *
 * @param askedMs what the client asked for; undefined when it asked for nothing
 * @throws INVALID_ARGUMENT (`TIMEOUT_TOO_LONG`)
 */
export function unaryTimeoutMs(limits: Limits, askedMs: number | undefined, request?: Message): number {
  if (askedMs === undefined) {
    const own = request && ownTimeoutMs(request)
    return own === undefined ? limits.defaultTimeoutMs : Math.max(limits.defaultTimeoutMs, own + graceMs)
  }
  if (askedMs > limits.maxTimeoutMs + graceMs) {
    throw invalidArgument('TIMEOUT_TOO_LONG', `a unary call may take ${limits.maxTimeoutMs / 1000} s at most`)
  }
  return askedMs
}

/** @throws RESOURCE_EXHAUSTED (`MESSAGE_TOO_LARGE`) */
export function requireSize(limits: Limits, sizeBytes: number): void {
  if (sizeBytes <= limits.receiveBytes) return
  throw resourceExhausted('MESSAGE_TOO_LARGE', `a message may have ${limits.receiveBytes} bytes at most`, {
    metadata: { limit_bytes: String(limits.receiveBytes) },
  })
}

function ownTimeoutMs(request: Message): number | undefined {
  const { timeout } = request as Message & { timeout?: unknown }
  return isMessage(timeout, DurationSchema) ? durationMs(timeout) : undefined
}

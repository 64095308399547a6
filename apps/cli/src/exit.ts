import { type BerthError, errorCodes, isBerthError } from '@berth/errors'

/** Wrong words on the command line or in the configuration: exit 2. */
export class UsageError extends Error {}

/** Ends the command with a code of its own, with or without a text. */
export class Exit extends Error {
  readonly code: number

  constructor(code: number, message = '') {
    super(message)
    this.code = code
  }
}

/** The exit code of an error: 2 usage, 64 + n for RPC errors (as grpcurl does), 130 after Ctrl-C, 1 otherwise. */
export function exitCodeOf(error: unknown, interrupted = false): number {
  if (error instanceof Exit) return error.code
  if (interrupted) return 130
  if (error instanceof UsageError) return 2
  const berth = asBerthError(error)
  return berth ? 64 + errorCodes[berth.code] : 1
}

/** What a person reads of an error; with `debug` its stack too. */
export function describeError(error: unknown, debug = false): string {
  if (debug && error instanceof Error) return error.stack ?? error.message
  const berth = asBerthError(error)
  if (!berth) return error instanceof Error ? error.message : String(error)
  const fields = berth.violations.map((violation) => `\n  ${violation.field}: ${violation.description}`).join('')
  return `${berth.message} (${berth.reason || berth.code})${fields}`
}

/** The Berth error in whatever was thrown; undefined when it has nothing to do with an RPC. */
export function asBerthError(error: unknown): BerthError | undefined {
  return isBerthError(error) ? error : undefined
}

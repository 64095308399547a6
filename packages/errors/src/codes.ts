/** The closed set of codes, by their gRPC names, with their numbers on the wire. OK and UNKNOWN are missing on purpose: nothing of ours is thrown with them. */
export const errorCodes = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const

export type ErrorCode = keyof typeof errorCodes

const names = new Map<number, ErrorCode>(Object.entries(errorCodes).map(([name, number]) => [number, name as ErrorCode]))

/** Name of a gRPC status number; what is outside the set (0, 2, 99 …) is INTERNAL. */
export function codeOfNumber(number: number): ErrorCode {
  return names.get(number) ?? 'INTERNAL'
}

/** Whether a caller may simply try again: nothing was done (UNAVAILABLE), or somebody else was faster (ABORTED). */
export function isRetryableCode(code: ErrorCode): boolean {
  return code === 'UNAVAILABLE' || code === 'ABORTED'
}

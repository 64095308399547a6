export { BerthError, type ErrorOptions, errorDomain, isBerthError, type Violation } from './berth-error.ts'
export { codeOfNumber, type ErrorCode, errorCodes, isRetryableCode } from './codes.ts'
export * from './makers.ts'
export { type ErrorStatus, fromStatus, toStatus } from './status.ts'

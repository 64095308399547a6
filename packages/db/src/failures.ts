import { aborted, type BerthError, isBerthError, resourceExhausted, unavailable } from '@berth/errors'

const lost = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  // Ended while a transaction was idle, e.g. because this process stood still.
  '25P03',
  '53300',
  '57P01',
  '57P02',
  '57P03',
  // While a database is being put back in its place there is none.
  '3D000',
])
const conflicts = new Set(['40001', '40P01', '55P03'])

/** SQLSTATE or system code at the bottom of an error; drizzle wraps the driver's errors. */
export function codeOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code
  }
  return undefined
}

/** Whether a code says that the connection is gone, or never was. */
export function isLoss(code: string | undefined): boolean {
  return code !== undefined && (lost.has(code) || code.startsWith('08'))
}

/** Serialization failure, deadlock or lock timeout: the same transaction may succeed when run again. */
export function isConflict(error: unknown): boolean {
  return !isBerthError(error) && conflicts.has(codeOf(error) ?? '')
}

/** Whether a unique index refused the row; with `constraint`, whether it was that one. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && at.code === '23505')
      return constraint === undefined || ('constraint_name' in at && at.constraint_name === constraint)
  }
  return false
}

/** What callers may see of a failure of the database; anything unknown passes unchanged and becomes INTERNAL at the border. */
export function translate(error: unknown): unknown {
  if (isBerthError(error)) return error
  const code = codeOf(error) ?? ''
  return known(code, error) ?? error
}

function known(code: string, cause: unknown): BerthError | undefined {
  if (isLoss(code)) return unavailable('DATABASE_UNAVAILABLE', 'the database cannot be reached', { cause })
  if (conflicts.has(code)) return aborted('CONFLICT', 'others changed the same rows at the same time', { cause })
  if (code === '25006') return unavailable('DATABASE_READ_ONLY', 'the database takes no writes at present', { cause })
  if (code === '57014') return unavailable('DATABASE_SLOW', 'the database did not answer within its time limit', { cause })
  if (code === '53100') return resourceExhausted('DATABASE_FULL', 'the database has no room left', { cause, retryAfterMs: 5000 })
  return undefined
}

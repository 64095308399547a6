import { invalidArgument } from '@berth/errors'

/** Where a watch stands. */
export type Position = {
  /** All events up to this place are behind it. */
  seq: number
  /** Events with a later place that the state it began with had in it already. */
  reflected: string[]
}

/** Opaque to clients; it holds nothing secret, and events are filtered by project whatever it says. */
export function resumeToken(service: string, { seq, reflected }: Position): string {
  return Buffer.from(JSON.stringify([1, service, seq, ...reflected])).toString('base64url')
}

/** @throws InvalidArgument(`BAD_RESUME_TOKEN`) */
export function readResumeToken(service: string, token: string): Position {
  const [version, owner, seq, ...reflected] = parse(token)
  const fits = version === 1 && owner === service && typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0
  if (!fits || !reflected.every((id) => typeof id === 'string'))
    throw invalidArgument('BAD_RESUME_TOKEN', 'resume_token is not one of this stream', { field: 'resume_token' })
  return { seq, reflected: reflected as string[] }
}

function parse(token: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

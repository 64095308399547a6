import { createHash } from 'node:crypto'

/** Writes what a client brings back with its next call, bound to what it asked for. */
export function writeToken(value: unknown, scope: string): string {
  const body = JSON.stringify(value)
  return Buffer.from(JSON.stringify([body, digest(body, scope)])).toString('base64url')
}

/** Reads it; undefined when it is no token or was made for another question. */
export function readToken(token: string, scope: string): unknown {
  try {
    const [body, sum] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [unknown, unknown]
    if (typeof body !== 'string' || sum !== digest(body, scope)) return undefined
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** Tells a token that was changed or belongs elsewhere; it guards no secret, since each service checks its own part. */
function digest(body: string, scope: string): string {
  return createHash('sha256').update(`${scope}\0${body}`).digest('base64url').slice(0, 16)
}

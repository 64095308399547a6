import { SignJWT } from 'jose'
import type { SigningKey } from './signing-key.ts'

export const issuer = 'berth'

export type TokenOptions = {
  key: SigningKey
  /** Service that accepts it: `image`, `volume`, `network`, `device`, `instance` or `gateway`. */
  audience: string
  actor: string
  project: string
  roles: string[]
  plane: 'public' | 'host'
  /** Id of the host, for tokens that a host signs. */
  host?: string
  /** How long it lives, in milliseconds; default 5 minutes. */
  lifetimeMs?: number
}

export type MintedToken = { token: string; expiresAtMs: number }

/** Signs an identity token (JWT, EdDSA). */
export async function mintToken(options: TokenOptions): Promise<MintedToken> {
  const { key, audience, actor, project, roles, plane, host, lifetimeMs = 300_000 } = options
  const now = Math.floor(Date.now() / 1000)
  const expires = now + Math.max(1, Math.ceil(lifetimeMs / 1000))
  const token = await new SignJWT({ project, roles, plane, ...(host ? { host } : {}) })
    .setProtectedHeader({ alg: 'EdDSA', kid: key.kid, typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(actor)
    .setIssuedAt(now)
    .setExpirationTime(expires)
    .sign(key.privateKey)
  return { token, expiresAtMs: expires * 1000 }
}

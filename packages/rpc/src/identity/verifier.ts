import { isBerthError, unauthenticated } from '@berth/errors'
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import type { Caller } from '../caller.ts'
import type { Authenticator } from '../gates/identity.ts'
import type { TrustedKey } from './key-set.ts'
import { type KeySource, type KeySourceOptions, keySource } from './key-source.ts'
import { issuer } from './mint-token.ts'
import { hostKey } from './signing-key.ts'

export type VerifierOptions = KeySourceOptions & {
  /** Name of this service. */
  audience: string
  /** Data folder; its host's key is always trusted. */
  dataDir: string
}

const maxCached = 4096
const skewSeconds = 30

/**
 * Checks identity tokens offline: its own host's key always, the others' from the gateway's key set. A good token is remembered
 * until its end, so that it costs one signature check and not one per call.
 *
 * `verify` throws UNAUTHENTICATED (`BAD_TOKEN` | `TOKEN_EXPIRED` | `WRONG_AUDIENCE`), UNAVAILABLE (`KEYS_UNREACHABLE`)
 */
export function verifier({ audience, dataDir, ...source }: VerifierOptions): Authenticator {
  const find = withOwnKey(dataDir, keySource(source))
  const known = new Map<string, { caller: Caller; untilMs: number }>()
  return {
    async verify(token) {
      const cached = known.get(token)
      if (cached && cached.untilMs > Date.now()) return cached.caller
      known.delete(token)
      const { caller, untilMs } = await check(token, audience, find)
      if (known.size >= maxCached) known.delete(known.keys().next().value ?? '')
      known.set(token, { caller, untilMs })
      return caller
    },
  }
}

function withOwnKey(dataDir: string, others: KeySource): KeySource {
  let own: ReturnType<typeof hostKey> | undefined
  return async (kid) => {
    own ??= hostKey(dataDir)
    const { kid: ownKid, publicKey } = await own
    return kid === ownKid ? { publicKey, host: '', notAfterMs: Number.POSITIVE_INFINITY, own: true } : others(kid)
  }
}

async function check(token: string, audience: string, find: KeySource): Promise<{ caller: Caller; untilMs: number }> {
  try {
    const { alg, kid } = decodeProtectedHeader(token)
    if (alg !== 'EdDSA' || typeof kid !== 'string') throw unauthenticated('BAD_TOKEN', 'the token is not signed with EdDSA and a named key')
    const key = await find(kid)
    if (key.notAfterMs < Date.now()) throw unauthenticated('BAD_TOKEN', 'the key of the token is no longer trusted')
    const { payload } = await jwtVerify(token, key.publicKey, {
      algorithms: ['EdDSA'],
      issuer,
      audience,
      clockTolerance: skewSeconds,
      requiredClaims: ['exp', 'sub'],
    })
    return { caller: callerFrom(payload, key, token), untilMs: ((payload.exp ?? 0) + skewSeconds) * 1000 }
  } catch (error) {
    throw refusal(error)
  }
}

function callerFrom(payload: JWTPayload, key: TrustedKey, token: string): Caller {
  const { sub, project, roles, plane, host } = payload as JWTPayload & Record<string, unknown>
  if (!sub || typeof project !== 'string' || !Array.isArray(roles) || (plane !== 'public' && plane !== 'host')) {
    throw unauthenticated('BAD_TOKEN', 'the token lacks a claim')
  }
  if (plane === 'host' && !key.own && (!key.host || host !== key.host)) {
    throw unauthenticated('BAD_TOKEN', 'the key of the token may not sign for this host')
  }
  return { actor: sub, project, roles: roles.map(String), plane, ...(typeof host === 'string' ? { host } : {}), token }
}

function refusal(error: unknown): unknown {
  if (isBerthError(error)) return error
  if (error instanceof errors.JWTExpired) return unauthenticated('TOKEN_EXPIRED', 'the token has expired', { cause: error })
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
    return unauthenticated('WRONG_AUDIENCE', 'the token is for another service', { cause: error })
  }
  return unauthenticated('BAD_TOKEN', 'the token does not hold', { cause: error })
}

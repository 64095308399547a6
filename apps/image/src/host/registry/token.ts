import { limits } from '../../domain/limits.ts'
import { denied, Transient, untrusted } from './failures.ts'
import { discard, readBody, type Transport } from './request.ts'

/** What a registry wants before it answers (RFC 6750, distribution spec “token”). */
export interface Challenge {
  realm: string
  service: string | undefined
}

/** Reads `WWW-Authenticate: Bearer realm="…",service="…"`; undefined for other schemes. */
export function parseChallenge(header: string | string[] | undefined): Challenge | undefined {
  const lines = [header ?? []].flat()
  const bearer = lines.find((line) => /^bearer\s/i.test(line))
  if (!bearer || bearer.length > 4096) return undefined
  const values = new Map<string, string>()
  for (const [, key, quoted, bare] of bearer.slice(6).matchAll(/([a-z_]+)=(?:"([^"]*)"|([^\s,"]+))/gi)) {
    values.set((key ?? '').toLowerCase(), quoted ?? bare ?? '')
  }
  const realm = values.get('realm')
  return realm === undefined ? undefined : { realm, service: values.get('service') }
}

export interface Token {
  value: string
  /** When it must not be used any more, in milliseconds since 1970. */
  expiresAt: number
}

/**
 * Fetches an anonymous token for reading one repository. The scope is made here, not taken from the challenge.
 *
 * @throws FailedPrecondition(`REGISTRY_UNTRUSTED`): a realm without https, unless the registry itself is one of plain http;
 *   PermissionDenied(`REGISTRY_DENIED`), Transient
 */
export async function fetchToken(
  transport: Transport,
  challenge: Challenge,
  { registry, repository }: { registry: string; repository: string },
  signal: AbortSignal,
): Promise<Token> {
  const url = URL.parse(challenge.realm)
  if (!url || url.username !== '' || url.password !== '') throw untrusted('its token server has no usable address')
  const plain = url.protocol === 'http:' && transport.isInsecure(registry) && transport.isInsecure(url.host)
  if (url.protocol !== 'https:' && !plain) throw untrusted('its token server is not reached by https')
  if (challenge.service !== undefined) url.searchParams.set('service', challenge.service)
  url.searchParams.set('scope', `repository:${repository}:pull`)
  const answer = await transport.get(url, { accept: 'application/json' }, signal)
  if (answer.statusCode !== 200) {
    await discard(answer)
    if (answer.statusCode === 429 || answer.statusCode >= 500) throw new Transient(`its token server answers ${answer.statusCode}`)
    throw denied(registry, answer.statusCode)
  }
  const body = await readBody(answer, limits.manifestBytes, () => untrusted('its token server answers too much'))
  return readToken(body)
}

function readToken(body: Buffer): Token {
  let json: { token?: unknown; access_token?: unknown; expires_in?: unknown }
  try {
    json = JSON.parse(body.toString())
  } catch {
    throw untrusted('its token server answers no JSON')
  }
  const value = json?.token ?? json?.access_token
  // Anything else could smuggle a header.
  if (typeof value !== 'string' || !/^[\x21-\x7e]{1,65536}$/.test(value)) throw untrusted('its token server gives no token')
  const seconds = typeof json.expires_in === 'number' && json.expires_in >= 60 ? Math.min(json.expires_in, 3600) : 60
  return { value, expiresAt: Date.now() + (seconds - 10) * 1000 }
}

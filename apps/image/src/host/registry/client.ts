import { createHash } from 'node:crypto'
import { failedPrecondition, invalidArgument } from '@berth/errors'
import { type Digest, isDigest } from '../../domain/digest.ts'
import { limits } from '../../domain/limits.ts'
import { indexTypes, manifestTypes } from '../../domain/manifest.ts'
import type { Reference } from '../../domain/reference.ts'
import { denied, imageNotFound, Transient, unreachable } from './failures.ts'
import { type Answer, createTransport, discard, readBody, type TransportOptions } from './request.ts'
import { retryAfterMs, retrying } from './retry.ts'
import { fetchToken, parseChallenge, type Token } from './token.ts'

/** Where an image lives. */
export type Repository = Pick<Reference, 'registry' | 'repository'>

export interface FetchedManifest {
  bytes: Buffer
  digest: Digest
  contentType: string | undefined
}

/** A client of the registry protocol (OCI distribution spec 1.1, Docker registry v2), for reading without an account. */
export interface RegistryClient extends AsyncDisposable {
  /**
   * Fetches a manifest or index by tag or digest, verified against the digest when one is named or the registry states one.
   *
   * @throws NotFound(`IMAGE_NOT_FOUND`), PermissionDenied(`REGISTRY_DENIED`), FailedPrecondition(`DIGEST_MISMATCH` | `REGISTRY_UNTRUSTED`),
   *   Unavailable(`REGISTRY_UNAVAILABLE`), InvalidArgument(`MANIFEST_INVALID`) beyond 4 MiB
   */
  manifest(from: Repository, wanted: string, signal: AbortSignal): Promise<FetchedManifest>
  /** Opens a blob once, for streaming; the caller verifies and tries again on Transient. Errors as for `manifest`. */
  blob(from: Repository, digest: Digest, signal: AbortSignal): Promise<Answer['body']>
}

export interface ClientOptions extends TransportOptions {
  /** Wait before the first retry; default 200 ms. */
  retryBaseMs?: number
}

export function registryClient(options: ClientOptions): RegistryClient {
  const transport = createTransport(options)
  const tokens = new Map<string, Token>()

  function address({ registry, repository }: Repository, rest: string): URL {
    const scheme = transport.isInsecure(registry) ? 'http' : 'https'
    const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry
    return new URL(`${scheme}://${host}/v2/${repository}/${rest}`)
  }

  /** One request, with the token flow where the registry asks for it. Answers 200 or throws. */
  async function get(from: Repository, rest: string, accept: string[], signal: AbortSignal): Promise<Answer> {
    const key = `${from.registry}/${from.repository}`
    const url = address(from, rest)
    const send = (token: Token | undefined) => {
      const headers: Record<string, string> = { accept: accept.join(', '), 'accept-encoding': 'identity' }
      if (token && token.expiresAt > Date.now()) headers.authorization = `Bearer ${token.value}`
      return transport.get(url, headers, signal)
    }
    let answer = await send(tokens.get(key))
    if (answer.statusCode === 401) {
      await discard(answer)
      const challenge = parseChallenge(answer.headers['www-authenticate'])
      if (!challenge) throw denied(from.registry, 401)
      const token = await fetchToken(transport, challenge, from, signal)
      tokens.set(key, token)
      answer = await send(token)
    }
    if (answer.statusCode === 200) return answer
    await discard(answer)
    throw failureOf(from.registry, answer)
  }

  return {
    async manifest(from, wanted, signal) {
      const attempt = async () => {
        const answer = await get(from, `manifests/${wanted}`, [...manifestTypes, ...indexTypes], signal)
        const bytes = await readBody(answer, limits.manifestBytes, manifestTooLarge)
        return { bytes, answer }
      }
      const { bytes, answer } = await retrying(attempt, { signal, baseMs: options.retryBaseMs }).catch((error: unknown) => {
        signal.throwIfAborted()
        throw unreachable(from.registry, error)
      })
      const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
      const stated = isDigest(wanted) ? wanted : answer.headers['docker-content-digest']
      if (stated !== undefined && stated !== digest) throw mismatch('manifest')
      const contentType = [answer.headers['content-type'] ?? []].flat()[0]?.split(';')[0]?.trim()
      return { bytes, digest, contentType }
    },
    async blob(from, digest, signal) {
      const answer = await get(from, `blobs/${digest}`, ['*/*'], signal)
      return answer.body
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}

export const mismatch = (part: string) =>
  failedPrecondition('DIGEST_MISMATCH', `the registry's ${part} is not what its digest says`, { field: 'reference' })

const manifestTooLarge = () =>
  invalidArgument('MANIFEST_INVALID', `the image's manifest is refused: it has more than ${limits.manifestBytes} bytes`, {
    field: 'reference',
  })

function failureOf(registry: string, { statusCode, headers }: Answer): Error {
  if (statusCode === 404) return imageNotFound(registry)
  if (statusCode === 429 || statusCode >= 500)
    return new Transient(`it answers ${statusCode}`, { waitMs: retryAfterMs(headers['retry-after']) })
  return denied(registry, statusCode)
}

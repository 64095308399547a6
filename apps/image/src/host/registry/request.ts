import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici'
import { isBerthError } from '@berth/errors'
import { limits } from '../../domain/limits.ts'
import { checkLiteral, guardedLookup } from './egress.ts'
import { Transient, untrusted } from './failures.ts'

export type Answer = Dispatcher.ResponseData

export interface TransportOptions {
  /** Registries (`host:port`) that are reached by plain http, and may be on this very host. */
  insecureRegistries: readonly string[]
  /** Longest silence on a connection, in milliseconds; default 20 s. */
  idleMs?: number
  /** Proxies for https, as the usual environment variables name them; default none. */
  proxy?: { httpsProxy?: string; noProxy?: string }
}

/** Sends GET requests. It knows where connections may go, not what is asked. */
export interface Transport extends AsyncDisposable {
  isInsecure(registry: string): boolean
  /**
   * One GET; redirects are followed (at most 5), each checked again and without credentials.
   *
   * @throws Transient for transport failures, FailedPrecondition(`REGISTRY_UNTRUSTED`), PermissionDenied(`EGRESS_BLOCKED`)
   */
  get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer>
}

export function createTransport({ insecureRegistries, idleMs = limits.idleMs, proxy }: TransportOptions): Transport {
  const timeouts = { headersTimeout: idleMs, bodyTimeout: idleMs, allowH2: false }
  const plain = new Agent({ ...timeouts, connect: { timeout: idleMs } })
  const guarded = { ...timeouts, connect: { timeout: idleMs, lookup: guardedLookup } }
  // A proxy resolves names itself; where it may connect to is its operator's rule.
  const open = proxy?.httpsProxy ? new EnvHttpProxyAgent({ ...timeouts, ...proxy }) : new Agent(guarded)
  const insecure = new Set(insecureRegistries)

  async function send(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    const listed = insecure.has(url.host)
    if (!listed && url.protocol === 'http:') throw untrusted('it would be reached by plain http without being listed for it')
    if (!listed) checkLiteral(url)
    try {
      return await request(url, { dispatcher: listed ? plain : open, headers: { 'user-agent': 'berth', ...headers }, signal })
    } catch (error) {
      signal.throwIfAborted()
      if (isBerthError(error)) throw error
      throw new Transient('the connection failed', { cause: error })
    }
  }

  return {
    isInsecure: (registry) => insecure.has(registry),
    async get(first, headers, signal) {
      let url = first
      for (let hop = 0; ; hop++) {
        const answer = await send(url, hop === 0 ? headers : withoutCredentials(headers), signal)
        const location = answer.headers.location
        if (answer.statusCode < 301 || answer.statusCode > 308 || answer.statusCode === 304 || typeof location !== 'string') return answer
        await discard(answer)
        if (hop === limits.redirects) throw untrusted(`it redirects more than ${limits.redirects} times`)
        url = next(url, location)
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([plain.destroy(), open.destroy()])
    },
  }
}

const withoutCredentials = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'))

function next(from: URL, location: string): URL {
  const url = URL.parse(location, from.href)
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw untrusted('it redirects to what is no web address')
  if (url.username !== '' || url.password !== '') throw untrusted('it redirects with credentials')
  if (from.protocol === 'https:' && url.protocol === 'http:') throw untrusted('it redirects from https to http')
  return url
}

/** Lets go of an answer whose body nobody wants. */
export async function discard(answer: Answer): Promise<void> {
  await answer.body.dump({ limit: 64 * 1024 }).catch(() => undefined)
}

/**
 * Reads a whole body into memory.
 *
 * @param tooLarge makes the error for a body beyond `mostBytes`
 * @throws Transient when the connection breaks
 */
export async function readBody(answer: Answer, mostBytes: number, tooLarge: () => Error): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of answer.body) {
      bytes += part.length
      if (bytes > mostBytes) break
      parts.push(part)
    }
  } catch (error) {
    throw new Transient('the connection broke', { cause: error })
  }
  if (bytes > mostBytes) throw tooLarge()
  return Buffer.concat(parts)
}

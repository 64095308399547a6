import { resourceExhausted } from '@berth/errors'
import { toConnectError } from '@berth/rpc'
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect'
import type { UniversalServerRequest, UniversalServerResponse } from '@connectrpc/connect/protocol'
import { errorFromJsonBytes, errorToJsonBytes } from '@connectrpc/connect/protocol-connect'

type Handler = ConnectRouter['handlers'][number]

/**
 * Gives the errors that Connect makes by itself, before any interceptor, what all others have: a reason. Messages that are too large are
 * refused from their length, before they are read.
 */
export function typedHandler(handler: Handler, limitBytes: number): Handler {
  const handle = async (request: UniversalServerRequest): Promise<UniversalServerResponse> => {
    const enveloped = /^application\/(grpc|connect\+)/.test(request.header.get('content-type') ?? '')
    if (enveloped) return handler({ ...request, body: limited(request, messageTooLarge(limitBytes), limitBytes) })
    if (request.method !== 'POST') return typedAnswer(await handler(request), limitBytes)
    // Connect would refuse by this header, before anything is read.
    const header = new Headers(request.header)
    if (Number(header.get('content-length')) > limitBytes) header.delete('content-length')
    return typedAnswer(await handler({ ...request, header, body: limited(request, bodyTooLarge(limitBytes), limitBytes) }), limitBytes)
  }
  const { protocolNames, supportedContentType, allowedMethods, requestPath, service, method } = handler
  return Object.assign(handle, { protocolNames, supportedContentType, allowedMethods, requestPath, service, method })
}

function tooLarge(limitBytes: number): ConnectError {
  const metadata = { limit_bytes: String(limitBytes) }
  return toConnectError(resourceExhausted('MESSAGE_TOO_LARGE', `a message may have ${limitBytes} bytes at most`, { metadata }), '')
}

/** Most clients of HTTP/1.1 listen only when they have sent all; no more than this is read for nothing. */
const drainBytes = 64 * 1024 * 1024

/** Looks at a body chunk by chunk; true once it is too large. */
type TooLarge = (chunk: Uint8Array) => boolean

async function* limited(
  { body, httpVersion }: UniversalServerRequest,
  isTooLarge: TooLarge,
  limitBytes: number,
): AsyncGenerator<Uint8Array> {
  let refused = false
  let drained = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    refused ||= isTooLarge(chunk)
    if (!refused) yield chunk
    else if (httpVersion.startsWith('2') || (drained += chunk.length) > drainBytes) break
  }
  if (refused) throw tooLarge(limitBytes)
}

/** For a body that is one message. */
function bodyTooLarge(limitBytes: number): TooLarge {
  let total = 0
  return (chunk) => (total += chunk.length) > limitBytes
}

/** For a body of messages, each of which begins with one byte of flags and four of length. */
function messageTooLarge(limitBytes: number): TooLarge {
  const head = Buffer.alloc(5)
  let headLength = 0
  let left = 0
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      const step = Math.min(left || head.length - headLength, chunk.length - at)
      if (left > 0) left -= step
      else {
        head.set(chunk.subarray(at, at + step), headLength)
        headLength = (headLength + step) % head.length
        if (headLength === 0) left = head.readUInt32BE(1)
        if (left > limitBytes) return true
      }
      at += step
    }
    return false
  }
}

/** A unary answer of the Connect protocol whose error has no details gets them. */
async function typedAnswer(response: UniversalServerResponse, limitBytes: number): Promise<UniversalServerResponse> {
  if (response.status < 400 || !response.body || !response.header || response.header.has('content-encoding')) return response
  const chunks: Uint8Array[] = []
  for await (const chunk of response.body) chunks.push(chunk)
  const body = typedBody(Buffer.concat(chunks), limitBytes)
  response.header.set('content-length', String(body.byteLength))
  return { ...response, body: once(body) }
}

function typedBody(body: Uint8Array, limitBytes: number): Uint8Array {
  let error: ConnectError
  try {
    error = errorFromJsonBytes(body, undefined, new ConnectError('no error', Code.Unknown))
  } catch {
    return body
  }
  if (error.details.length > 0) return body
  return errorToJsonBytes(error.code === Code.ResourceExhausted ? tooLarge(limitBytes) : toConnectError(error, ''), undefined)
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield item
}

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
    const type = request.header.get('content-type') ?? ''
    if (/^application\/(grpc|connect\+)/.test(type)) return handler({ ...request, body: limited(request, limitBytes) })
    return typedAnswer(await handler(request), limitBytes)
  }
  const { protocolNames, supportedContentType, allowedMethods, requestPath, service, method } = handler
  return Object.assign(handle, { protocolNames, supportedContentType, allowedMethods, requestPath, service, method })
}

function tooLarge(limitBytes: number): ConnectError {
  const metadata = { limit_bytes: String(limitBytes) }
  return toConnectError(resourceExhausted('MESSAGE_TOO_LARGE', `a message may have ${limitBytes} bytes at most`, { metadata }), '')
}

/** A client of HTTP/1.1 listens only when it has sent all; no more than this is read for nothing. */
const drainBytes = 64 * 1024 * 1024

/** The bytes of a stream of messages, each of which begins with one byte of flags and four of length. */
async function* limited({ body, httpVersion }: UniversalServerRequest, limitBytes: number): AsyncGenerator<Uint8Array> {
  const lengths = messageLengths()
  let refused = false
  let drained = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    refused ||= lengths(chunk).some((length) => length > limitBytes)
    if (!refused) yield chunk
    else if (httpVersion.startsWith('2') || (drained += chunk.length) > drainBytes) break
  }
  if (refused) throw tooLarge(limitBytes)
}

/** Reads the lengths of messages out of their stream, chunk by chunk. */
function messageLengths(): (chunk: Uint8Array) => number[] {
  const head = Buffer.alloc(5)
  let headLength = 0
  let left = 0
  return (chunk) => {
    const found: number[] = []
    for (let at = 0; at < chunk.length; ) {
      const step = Math.min(left || head.length - headLength, chunk.length - at)
      if (left > 0) left -= step
      else {
        head.set(chunk.subarray(at, at + step), headLength)
        headLength = (headLength + step) % head.length
        if (headLength === 0) found.push((left = head.readUInt32BE(1)))
      }
      at += step
    }
    return found
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

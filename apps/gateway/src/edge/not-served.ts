import { type BerthError, isBerthError, unimplemented } from '@berth/errors'
import { type Authenticator, toConnectError } from '@berth/rpc'
import { errorToJson } from '@connectrpc/connect/protocol-connect'
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc'
import type { connectNodeAdapter } from '@connectrpc/connect-node'
import type { ServerResponse } from 'node:http'

type NodeHandler = ReturnType<typeof connectNodeAdapter>
export type Request = Parameters<NodeHandler>[0]
export type Response = Parameters<NodeHandler>[1]

const statusOf: Record<string, number> = { UNAUTHENTICATED: 401, UNAVAILABLE: 503 }

/**
 * Answers paths that nothing is served under: UNIMPLEMENTED for who has a credential, UNAUTHENTICATED for who has none, so that
 * strangers cannot find out what there is. In the form in which the client asked.
 */
export function notServed(authenticator: Authenticator): (request: Request, response: Response) => void {
  return (request, response) => {
    void refusal(authenticator, request).then((error) => answer(request, response, error))
  }
}

async function refusal(authenticator: Authenticator, request: Request): Promise<BerthError> {
  const token = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  try {
    await authenticator.verify(token ?? '')
    return unimplemented('METHOD_NOT_FOUND', 'nothing is served under this path')
  } catch (error) {
    if (isBerthError(error)) return error
    return unimplemented('METHOD_NOT_FOUND', 'nothing is served under this path')
  }
}

function answer(request: Request, response: Response, error: BerthError): void {
  const connect = toConnectError(error, '')
  request.resume()
  if (request.headers['content-type']?.startsWith('application/grpc')) {
    const trailer = setTrailerStatus(new Headers(), connect)
    writeHead(response, 200, { 'content-type': request.headers['content-type'], ...Object.fromEntries(trailer) })
    response.end()
    return
  }
  writeHead(response, statusOf[error.code] ?? 404, { 'content-type': 'application/json' })
  response.end(JSON.stringify(errorToJson(connect, undefined)))
}

/** Both HTTP versions have the same method, with types that do not meet. */
export function writeHead(response: Response, status: number, headers: Record<string, string>): void {
  const head = response as Pick<ServerResponse, 'writeHead'>
  head.writeHead(status, headers)
}

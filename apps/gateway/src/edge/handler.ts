import { file_google_rpc_error_details } from '@berth/proto/google/rpc/error_details_pb.ts'
import { type Authenticator, defaultLimits, type ServiceEntry } from '@berth/rpc'
import { createRegistry, type DescService } from '@bufbuild/protobuf'
import { file_google_protobuf_struct, file_google_protobuf_wrappers } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import type { Gatekeeper } from './gatekeeper.ts'
import { notServed, type Request, type Response, writeHead } from './not-served.ts'
import { typedHandler } from './typed-handlers.ts'

export type EdgeOptions = {
  services: ServiceEntry[]
  gatekeeper: Gatekeeper
  authenticator: Authenticator
  /** Ends all calls when the time to close is over. */
  shutdownSignal: AbortSignal
  /** Key set for `/.well-known/jwks.json`, open to all. */
  keySet: () => Promise<string>
}

/** Types that may stand in a `google.protobuf.Any` of an answer: the details of errors. */
const registry = createRegistry(file_google_rpc_error_details, file_google_protobuf_struct, file_google_protobuf_wrappers)

/** The handler of all requests at the edge: gRPC, Connect, gRPC-Web and JSON, and the key set. */
export function edgeHandler({
  services,
  gatekeeper,
  authenticator,
  shutdownSignal,
  keySet,
}: EdgeOptions): (request: Request, response: Response) => void {
  const rpc = connectNodeAdapter({
    routes(router) {
      for (const { desc, impl } of services) router.service(desc, impl as Partial<ServiceImpl<DescService>>)
      router.handlers.splice(
        0,
        router.handlers.length,
        ...router.handlers.map((handler) => typedHandler(handler, defaultLimits.receiveBytes)),
      )
    },
    requestGate: gatekeeper.gate,
    interceptors: [gatekeeper.interceptor],
    readMaxBytes: defaultLimits.receiveBytes,
    shutdownSignal,
    // What a newer client says and this gateway does not know must not fail its call.
    jsonOptions: { ignoreUnknownFields: true, registry },
    fallback: notServed(authenticator),
  })
  return (request, response) => {
    if (request.url === '/.well-known/jwks.json' && request.method === 'GET') void answerKeySet(response, keySet)
    else rpc(request, response)
  }
}

async function answerKeySet(response: Response, keySet: () => Promise<string>): Promise<void> {
  const body = await keySet()
  writeHead(response, 200, { 'content-type': 'application/json', 'cache-control': 'max-age=5' })
  response.end(body)
}

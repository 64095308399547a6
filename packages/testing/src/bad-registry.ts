import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BuiltImage } from './oci-image.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse, next: () => void) => void

/** An HTTP server of the test's own, on the loopback. */
export interface TestServer extends AsyncDisposable {
  host: string
  url: string
  /** `GET <path>` of every request, with the authorization it carried. */
  requests: { path: string; authorization: string | undefined }[]
}

export async function serveHttp(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<TestServer> {
  const requests: TestServer['requests'] = []
  const server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', authorization: request.headers.authorization })
    handler(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    host,
    url: `http://${host}`,
    requests,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** A registry that has one image, `bad/image:1`, and gives every request to `misbehave` first. */
export function badRegistry(image: BuiltImage, misbehave: Handler): Promise<TestServer> {
  return serveHttp((request, response) => misbehave(request, response, () => behave(image, request, response)))
}

function behave(image: BuiltImage, request: IncomingMessage, response: ServerResponse): void {
  const [, kind, wanted] = /^\/v2\/bad\/image\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? []
  if (kind === 'blobs') return send(response, image.blobs.get(wanted ?? ''))
  const manifest = image.manifests.get(wanted === '1' ? image.indexDigest : (wanted ?? ''))
  if (manifest) response.setHeader('content-type', manifest.mediaType)
  send(response, manifest?.bytes)
}

function send(response: ServerResponse, bytes: Buffer | undefined): void {
  if (!bytes) response.writeHead(404).end()
  else response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
}

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Metrics } from './metrics.ts'

export type HealthOptions = {
  host: string
  /** The service's port + 100; 0 takes a free one. */
  port: number
  /** What the service needs, by name, and whether it has it; answered within 2 s or counted as no. */
  ready: () => Promise<Record<string, boolean>>
  metrics: Metrics
}

export type HealthServer = AsyncDisposable & {
  port: number
  /** From now on `/readyz` says no: the first thing a service does that is to end. */
  stopping(): void
}

const readyLimitMs = 2000

/**
 * Answers `/healthz` (the process lives), `/readyz` (200 when all it needs is there, else 503; a JSON object either way) and
 * `/metrics` (Prometheus's text), without a credential: bind it where only operators come.
 */
export async function serveHealth({ host, port, ready, metrics }: HealthOptions): Promise<HealthServer> {
  let ending = false
  const server = createServer((request, response) => {
    response.setHeader('cache-control', 'no-store')
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') send(response, 405, 'text/plain', 'only GET\n')
    else if (path === '/healthz') send(response, 200, 'text/plain', 'ok\n')
    else if (path === '/metrics') send(response, 200, 'text/plain; version=0.0.4', metrics.render())
    else if (path === '/readyz') void answerReady(response, async () => (ending ? { serving: false } : ready()))
    else send(response, 404, 'text/plain', 'not found\n')
  })
  server.headersTimeout = 5000
  server.requestTimeout = 5000
  server.listen(port, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stopping() {
      ending = true
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function answerReady(response: ServerResponse, ready: HealthOptions['ready']): Promise<void> {
  const parts = await withLimit(ready).catch(() => ({ answer: false }))
  const good = Object.values(parts).every(Boolean)
  send(response, good ? 200 : 503, 'application/json', `${JSON.stringify({ ready: good, ...parts })}\n`)
}

function withLimit(ready: HealthOptions['ready']): Promise<Record<string, boolean>> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), readyLimitMs)
  })
  return Promise.race([ready(), late]).finally(() => clearTimeout(timer))
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type })
  response.end(body)
}

import { once } from 'node:events'
import { createServer as createHttp1 } from 'node:http'
import { createServer as createHttp2, type ServerHttp2Session } from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Request, Response } from './not-served.ts'

export type EdgeServer = {
  port: number
  /** Takes no new connection, waits for what is under way up to the limit, then cuts. */
  close(limitMs: number): Promise<void>
}

/** A connection must say within this what it speaks, in milliseconds. */
const prefaceMs = 10_000

/**
 * Listens for HTTP/2 without TLS (gRPC, Connect) and for HTTP/1.1 (Connect, gRPC-Web, JSON by curl) on one port. They are told apart by
 * the first bytes: only HTTP/2's preface begins with `PRI`.
 */
export async function listenEdge(
  listen: { host: string; port: number },
  handler: (request: Request, response: Response) => void,
): Promise<EdgeServer> {
  const http1 = createHttp1({ requestTimeout: 0, headersTimeout: prefaceMs, keepAliveTimeout: 60_000 }, handler)
  const http1Idle = idleSockets(http1)
  const http2 = createHttp2({ maxSessionMemory: 64, settings: { maxConcurrentStreams: 2048, initialWindowSize: 1024 * 1024 } }, handler)
  const sessions = new Set<ServerHttp2Session>()
  http2.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
  })
  http2.on('sessionError', () => undefined)
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    tellApart(socket, (isHttp2) => (isHttp2 ? http2 : http1).emit('connection', socket))
  })
  server.listen(listen.port, listen.host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close(limitMs) {
      const closed = once(server, 'close')
      server.close()
      for (const session of sessions) session.close()
      http1Idle.close()
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, limitMs)
      await closed
      clearTimeout(cut)
    },
  }
}

/**
 * Closes HTTP/1.1 connections that wait for a next request, now and as the others come to rest. Node's own closeIdleConnections knows only those
 * of a server that listens itself.
 */
function idleSockets(server: ReturnType<typeof createHttp1>): { close(): void } {
  const underWay = new Map<Socket, number>()
  let closing = false
  server.on('connection', (socket: Socket) => {
    underWay.set(socket, 0)
    socket.once('close', () => underWay.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    underWay.set(socket, (underWay.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (underWay.get(socket) ?? 1) - 1
      if (underWay.has(socket)) underWay.set(socket, left)
      if (closing && left === 0) socket.end()
    })
  })
  return {
    close() {
      closing = true
      for (const [socket, requests] of underWay) if (requests === 0) socket.end()
    },
  }
}

function tellApart(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let head = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), prefaceMs)
  socket.once('close', () => clearTimeout(timer))
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    const isHttp2 = head.subarray(0, 3).toString('latin1') === 'PRI'
    // “P” may also begin POST, PUT or PATCH: three bytes decide.
    if (!isHttp2 && head[0] === 0x50 && head.length < 3) return
    socket.off('data', onData)
    clearTimeout(timer)
    socket.pause()
    socket.unshift(head)
    decide(isHttp2)
    process.nextTick(() => socket.resume())
  }
  socket.on('data', onData)
}

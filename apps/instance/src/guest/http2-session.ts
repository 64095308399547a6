import http2 from 'node:http2'
import type { Duplex } from 'node:stream'
import { unavailable } from '@berth/errors'
import type { Http2SessionManager } from '@connectrpc/connect-node'

/** A guest that boots, or fights for its CPU, answers late; that an agent closed its end is told by the VMM, at once. */
const pingEveryMs = 20_000
const pingTimeoutMs = 40_000

/** What Connect's transport asks of whoever keeps its HTTP/2 session. */
export type OneSession = Pick<Http2SessionManager, 'authority' | 'request' | 'notifyResponseByteRead'>

/**
 * One HTTP/2 session over a byte stream that tells no ends: pings find out that the other side is gone, and the stream is destroyed then.
 * A lost session is a lost agent, for whoever holds it to dial again. Connect's own manager pings a session that is being destroyed, which throws
 * out of a timer.
 */
export function oneSession(stream: Duplex, authority: string): OneSession {
  const session = http2.connect(authority, { createConnection: () => stream })
  const timer = setInterval(() => ping(session, stream), pingEveryMs)
  session.on('error', () => stream.destroy())
  session.on('goaway', () => stream.destroy())
  session.once('close', () => clearInterval(timer))
  stream.once('close', () => {
    clearInterval(timer)
    session.destroy()
  })
  return {
    authority,
    async request(method, path, headers, options) {
      if (session.destroyed || session.closed) throw unavailable('AGENT_LOST', 'the session with the guest agent is gone')
      return session.request({ ...headers, ':method': method, ':path': path }, options)
    },
    notifyResponseByteRead: () => {},
  }
}

function ping(session: http2.ClientHttp2Session, stream: Duplex): void {
  if (session.destroyed || session.closed || session.connecting) return
  const late = setTimeout(() => stream.destroy(), pingTimeoutMs)
  const sent = session.ping(() => clearTimeout(late))
  if (!sent) clearTimeout(late)
}

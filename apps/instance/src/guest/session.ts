import type { Duplex } from 'node:stream'
import { AgentService } from '@berth/proto/berth/guest/v1/guest_pb.ts'
import { unavailable } from '@berth/errors'
import { createClient, type Transport } from '@connectrpc/connect'
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node'
import type { Agent } from '../domain/ports.ts'
import { agentOver } from './agent.ts'

/** Longest message an agent may send; its own limit for output is 64 KiB. */
const longestMessage = 1024 * 1024
const ping = { pingIntervalMs: 5_000, pingTimeoutMs: 5_000, pingIdleConnection: true }

/**
 * A session with the agent at the other end of a byte stream: HTTP/2 with pings, since the stream tells no ends. Answers when the agent has.
 *
 * @throws Unavailable(`AGENT_NOT_READY`) when it does not before the signal
 */
export async function dialAgent(stream: Duplex, signal: AbortSignal): Promise<Agent> {
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  const client = createClient(AgentService, transportOver(stream))
  try {
    // The guest may still be booting: its answer comes the moment it is up, so there is no shorter limit than the caller's.
    await client.getInfo({}, { signal, timeoutMs: 0 })
    return agentOver(client, { closed, close: () => void stream.destroy() })
  } catch (error) {
    stream.destroy()
    throw unavailable('AGENT_NOT_READY', 'the guest agent does not answer yet', { cause: error })
  }
}

function transportOver(stream: Duplex): Transport {
  let taken = false
  const createConnection = (): Duplex => {
    // The stream carries one HTTP/2 session; a lost one is a lost agent, for whoever holds it to dial again.
    if (taken) throw unavailable('AGENT_LOST', 'the session with the guest agent is gone')
    taken = true
    return stream
  }
  const baseUrl = 'http://guest'
  const sessionManager = new Http2SessionManager(baseUrl, ping, { createConnection })
  stream.once('close', () => sessionManager.abort())
  return createGrpcTransport({ baseUrl, sessionManager, readMaxBytes: longestMessage, writeMaxBytes: longestMessage })
}

import type { Duplex } from 'node:stream'
import { AgentService } from '@berth/proto/berth/guest/v1/guest_pb.ts'
import { unavailable } from '@berth/errors'
import { createClient, type Transport } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import type { Agent } from '../domain/ports.ts'
import { agentOver } from './agent.ts'
import { oneSession } from './http2-session.ts'

/** Longest message an agent may send; its own limit for output is 64 KiB. */
const longestMessage = 1024 * 1024

/**
 * A session with the agent at the other end of a byte stream: HTTP/2 with pings, since the stream tells no ends. Answers when the agent has.
 *
 * @throws Unavailable(`AGENT_NOT_READY`) when it does not before the signal
 */
export async function dialAgent(stream: Duplex, signal: AbortSignal): Promise<Agent> {
  // Whatever ends the stream ends the session; why is told by the calls that it cuts.
  stream.on('error', () => {})
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
  const baseUrl = 'http://guest'
  return createGrpcTransport({
    baseUrl,
    sessionManager: oneSession(stream, baseUrl),
    readMaxBytes: longestMessage,
    writeMaxBytes: longestMessage,
  })
}

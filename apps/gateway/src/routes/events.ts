import { invalidArgument, isBerthError } from '@berth/errors'
import { type Event, EventService, type WatchEventsRequest } from '@berth/proto/berth/event/v1/event_pb.ts'
import { callerOf, type ServiceEntry, service } from '@berth/rpc'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext } from '@connectrpc/connect'
import { setTimeout as sleep } from 'node:timers/promises'
import { mergeStreams } from '../domain/merge-streams.ts'
import { readToken, writeToken } from '../domain/position.ts'
import { callOptions, type PeerClients } from './peers.ts'

export type EventOptions = {
  /** First wait before a service that went away is asked again, in milliseconds; default 250 ms, doubled up to 5 s. */
  retryMs?: number
}

const longestRetryMs = 5000

/** One step of one service's stream: an event or a bookmark with its token, or word that the service is away. */
type Step = { service: string; event?: Event; token?: string; away: boolean }

/** Events of all services in one stream; its token holds a position for each. A service that goes away is named and asked again. */
export function eventRoutes(peers: PeerClients[], { retryMs = 250 }: EventOptions = {}): ServiceEntry {
  return service(EventService, {
    async *watchEvents(request, ctx) {
      const scope = JSON.stringify(['events', callerOf(ctx).project])
      const tokens = readTokens(request.resumeToken, scope)
      const missing = new Set<string>()
      const steps = peers.map((peer) => watchOne(peer, { ...request, resumeToken: tokens[peer.name] ?? '' }, ctx, retryMs))
      for await (const { service: name, event, token, away } of mergeStreams(steps)) {
        if (away) missing.add(name)
        else missing.delete(name)
        if (token) tokens[name] = token
        yield { event, resumeToken: writeToken(tokens, scope), missing: [...missing].toSorted() }
      }
    },
  })
}

async function* watchOne(peer: PeerClients, request: WatchEventsRequest, ctx: HandlerContext, retryMs: number): AsyncGenerator<Step> {
  const beganMs = Date.now()
  let { resumeToken } = request
  let waitMs = retryMs
  let away = false
  while (!ctx.signal.aborted) {
    // Asked for the first time after it was away, it would begin too late: so it begins at its oldest, and what is older than the watch is left out.
    const late = away && resumeToken === '' && !request.fromStart
    try {
      const options = await callOptions(peer, ctx)
      for await (const answer of peer.events.watchEvents({ ...request, resumeToken, fromStart: request.fromStart || late }, options)) {
        resumeToken = answer.resumeToken
        waitMs = retryMs
        const tooOld = late && answer.event?.time && timestampMs(answer.event.time) < beganMs
        if (tooOld && !away) continue
        away = false
        yield { service: peer.name, event: tooOld ? undefined : answer.event, token: resumeToken, away }
      }
      if (request.noFollow) return
    } catch (error) {
      if (ctx.signal.aborted || !isBerthError(error) || error.code !== 'UNAVAILABLE') throw error
      if (!away) yield { service: peer.name, away: true }
      away = true
      if (request.noFollow) return
    }
    await sleep(waitMs * (0.75 + Math.random() / 2), undefined, { signal: ctx.signal })
    waitMs = Math.min(waitMs * 2, longestRetryMs)
  }
}

function readTokens(token: string, scope: string): Record<string, string> {
  if (token === '') return {}
  const tokens = readToken(token, scope)
  if (!tokens) throw invalidArgument('BAD_RESUME_TOKEN', 'resume_token is none of this stream', { field: 'resume_token' })
  return tokens as Record<string, string>
}

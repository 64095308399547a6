import { EventService, type WatchEventsRequest, WatchEventsResponseSchema } from '@berth/proto/berth/event/v1/event_pb.ts'
import { create } from '@bufbuild/protobuf'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { eventMessage } from './envelope.ts'
import type { Events } from './events.ts'
import { follow } from './follow.ts'
import { type Position, readResumeToken, resumeToken } from './token.ts'

export type EventServiceOptions = { events: Events; callerOf: (context: HandlerContext) => { project: string } }

/** The EventService of one service: its own events, of the caller's project. */
export function eventService({ events, callerOf }: EventServiceOptions): ServiceImpl<typeof EventService> {
  const { db, wakes } = events
  return {
    async *watchEvents(request, context) {
      const { project } = callerOf(context)
      const selection = { project, kinds: request.kinds, resourceId: request.resourceId }
      const from = await begin(events, request)
      for await (const { row, position } of follow({ db, wakes, selection, from, follow: !request.noFollow, signal: context.signal })) {
        const event = row && eventMessage(db.service, row)
        yield create(WatchEventsResponseSchema, { event, resumeToken: resumeToken(db.service, position) })
      }
    },
  }
}

async function begin({ db }: Events, { resumeToken: token, fromStart }: WatchEventsRequest): Promise<Position> {
  if (token !== '') return readResumeToken(db.service, token)
  const { relay } = db.tables
  const [head] = await db.read((queries) => queries.select().from(relay))
  return { seq: (fromStart ? head?.floorSeq : head?.lastSeq) ?? 0, reflected: [] }
}

import { type Database, jsonName, parseFilter, type ResourceMessage, type ResourceStore, type Term } from '@berth/db'
import { and, eq, isNull } from 'drizzle-orm'
import { fromJson, toJson } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import { follow } from './follow.ts'
import { type Position, readResumeToken, resumeToken } from './token.ts'
import type { Wakes } from './wakes.ts'

/** As in every Watch<Kind>Response: 1 part of the state at the beginning, 2 made or changed, 3 gone, 4 bookmark. */
export type WatchType = 1 | 2 | 3 | 4
export type Watched<M> = { type: WatchType; resource: M | undefined; resumeToken: string }
export type WatchRequest = { project: string; filter: string; resumeToken: string; signal: AbortSignal }

/** More than a token can carry; the relay is behind only for moments. */
const maxReflected = 40

type Options<M extends ResourceMessage> = {
  store: ResourceStore<M, never>
  wakes: Wakes
  settle: () => Promise<void>
  request: WatchRequest
}

/**
 * What Watch<Kind> streams: the current state (without tokens), a bookmark, then every change, without gap, repetition or step back. With a
 * token it goes on from there. A resource that no longer fits the filter is told once more, as it is then.
 *
 * @throws OutOfRange(`TOKEN_EXPIRED`), InvalidArgument(`BAD_RESUME_TOKEN` | `BAD_FILTER`), and the signal's reason
 */
export async function* watchResources<M extends ResourceMessage>({
  store,
  wakes,
  settle,
  request,
}: Options<M>): AsyncGenerator<Watched<M>> {
  const { db, kind, schema } = store
  const { project, signal } = request
  const fits = matcher(schema, parseFilter(request.filter, store.filterFields))
  const told = new Set<string>()
  let from: Position
  if (request.resumeToken === '') {
    const current = await beginning(store, project, settle)
    from = current.position
    for (const resource of current.resources.filter(fits)) {
      told.add(resource.id)
      yield { type: 1, resource, resumeToken: '' }
    }
  } else {
    from = readResumeToken(db.service, request.resumeToken)
  }
  const resumed = request.resumeToken !== ''
  for await (const { row, position } of follow({ db, wakes, selection: { project, kinds: [kind] }, from, follow: true, signal })) {
    const token = resumeToken(db.service, position)
    if (row === undefined) {
      yield { type: 4, resource: undefined, resumeToken: token }
      continue
    }
    const resource = fromJson(schema, row.resource, { ignoreUnknownFields: true })
    const fit = fits(resource)
    if (!fit && !resumed && !told.delete(resource.id)) continue
    if (fit) told.add(resource.id)
    if (row.verb === 'deleted') told.delete(resource.id)
    yield { type: row.verb === 'deleted' ? 3 : 2, resource, resumeToken: token }
  }
}

/** State and place of one moment. Changes that have no place yet are in the state: they are remembered, to be passed over when they get theirs. */
async function beginning<M extends ResourceMessage>(store: ResourceStore<M, never>, project: string, settle: () => Promise<void>) {
  for (;;) {
    const found = await store.db.snapshot(async (tx) => {
      const position = await positionOf(store.db, tx, { kind: store.kind, project })
      return { position, resources: (await store.all(project, tx)).map((row) => store.toMessage(row)) }
    })
    if (found.position.reflected.length <= maxReflected) return found
    await settle()
  }
}

async function positionOf(
  db: Database,
  tx: Parameters<Parameters<Database['snapshot']>[0]>[0],
  of: { kind: string; project: string },
): Promise<Position> {
  const { outbox, relay } = db.tables
  const [head] = await tx.select({ seq: relay.lastSeq }).from(relay)
  const where = and(isNull(outbox.seq), eq(outbox.kind, of.kind), eq(outbox.project, of.project))
  const waiting = await tx.select({ id: outbox.id }).from(outbox).where(where)
  return { seq: head?.seq ?? 0, reflected: waiting.map(({ id }) => id) }
}

function matcher<M extends ResourceMessage>(schema: GenMessage<M>, terms: Term[]): (resource: M) => boolean {
  if (terms.length === 0) return () => true
  return (resource) => {
    const json = toJson(schema, resource) as {
      name?: string
      host?: string
      labels?: Record<string, string>
      status?: Record<string, unknown>
    }
    return terms.every(({ field, value }) => {
      if (field === 'name') return json.name === value
      if (field === 'host') return json.host === value
      if (field.startsWith('label.')) return json.labels?.[field.slice('label.'.length)] === value
      const shown = json.status?.[jsonName(field)]
      return shown === value || (field === 'state' && String(shown).endsWith(`_STATE_${value}`))
    })
  }
}

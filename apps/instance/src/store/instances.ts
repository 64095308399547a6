import { isUniqueViolation, newId, resourceVerbs } from '@berth/db'
import type { Events } from '@berth/events'
import type { Accepted, Instances } from '../domain/api.ts'
import { newStatus } from '../domain/status.ts'
import type { InstanceRow, InstanceStore } from './tables.ts'
import { drawUid, freeUid, type UidRange } from './uids.ts'

/** Two creates at once may draw one uid; the loser draws again. */
const draws = 5

export type InstancesOptions = { store: InstanceStore; events: Events; uids: UidRange }

/** Instances in their table, for the routes. */
export function instancesIn({ store, events, uids }: InstancesOptions): Instances {
  const verbs = resourceVerbs(store)

  const create: Instances['create'] = async (call, { id, name, labels, annotations, host, spec }) => {
    for (let left = draws; ; left -= 1) {
      // Mostly the first is free, and the index knows; only who met one that is taken looks.
      const uid = left === draws ? drawUid(uids) : await freeUid(store.db, uids)
      try {
        const row = { id, name, labels, annotations, host, spec, status: newStatus(), extra: { uid } }
        return await verbs.create(call, row, 'instance.create')
      } catch (error) {
        if (left === 0 || !isUniqueViolation(error, 'instances_uid_key')) throw error
      }
    }
  }

  return {
    create,
    newId: () => newId('ins'),
    get: async (project, reference) => store.toMessage(await store.get(project, reference)),
    async list(project, page) {
      const { rows, nextPageToken } = await store.list(project, page)
      return { instances: rows.map((row) => store.toMessage(row)), nextPageToken }
    },
    async *watch(request) {
      for await (const { type, resource, resumeToken } of events.watchResources(store, request))
        yield { type, instance: resource, resumeToken }
    },
    change: (call, target, decide): Promise<Accepted> => verbs.change(call, target, (row) => decide(targetOf(row))),
  }
}

function targetOf({ spec, status, deleteTime, extra }: InstanceRow) {
  return { spec, status, deleteTime, stopGraceMs: extra.stopGraceMs }
}

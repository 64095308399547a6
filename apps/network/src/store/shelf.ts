import type { ResourceMessage, ResourceStore } from '@berth/db'
import type { Events } from '@berth/events'
import type { Shelf } from '../domain/work.ts'

/** A store as those see it who only look. */
export function shelfOf<M extends ResourceMessage, Extra>(store: ResourceStore<M, Extra>, events: Events): Shelf<M> {
  return {
    get: async (project, reference) => store.toMessage(await store.get(project, reference)),
    async list(project, { pageSize, pageToken, filter }) {
      const page = await store.list(project, { pageSize, pageToken, filter })
      return { items: page.rows.map((row) => store.toMessage(row)), nextPageToken: page.nextPageToken }
    },
    watch: (asked) => events.watchResources(store, asked),
  }
}

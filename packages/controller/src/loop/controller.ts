import { setTimeout as delay } from 'node:timers/promises'
import type { Change, OperationRow, ResourceMessage, ResourceStore, Stored } from '@berth/db'
import { aborted, cancelled, unavailable } from '@berth/errors'
import type { Events } from '@berth/events'
import type { Logger } from '@berth/telemetry'
import type { Lease } from '../host/hold.ts'
import type { Operations } from '../operations/operations.ts'
import { keyedQueue } from './keyed-queue.ts'
import { type Next, settled } from './next.ts'

const unsettledEveryMs = 5_000
const allEveryMs = 300_000

export type ReconcileContext = {
  /** Aborts with a BerthError: `OPERATION_CANCELLED`, `RESOURCE_DELETED` (the key then runs again), `SHUTTING_DOWN` or `LEASE_LOST`. */
  signal: AbortSignal
  /** Aborts only on the last two: for undoing. */
  lifetime: AbortSignal
  lease: Lease
  /** Open operations of the resource, oldest first, as of the beginning of this run. */
  operations: OperationRow[]
  /** Since when every run of this key has thrown, in Unix milliseconds; undefined unless the last one did. */
  failingSinceMs: number | undefined
}

export type ControllerOptions<M extends ResourceMessage, Extra> = {
  /** For logs, e.g. `volume`. */
  name: string
  store: ResourceStore<M, Extra>
  lease: Lease
  events: Events
  operations: Operations
  /** Keys worked on at once, `reconcileNow` not counted. */
  concurrency: number
  /** Looks at what should be and what is, does the next thing, returns. Remembers nothing between calls. */
  reconcile: (row: Stored<M, Extra>, context: ReconcileContext) => Promise<Next>
  logger: Logger
}

export type Controller = AsyncDisposable & {
  enqueue(id: string): void
  /** For Ensure calls: runs the key next and waits for that run; read the row afterwards. @throws what the run throws, or the signal's reason */
  reconcileNow(id: string, signal: AbortSignal): Promise<void>
}

/**
 * Keeps the rows of one kind on this host converging. Changes wake it; a jittered poll of what is unsettled is the net; at start, and every five
 * minutes, it looks at all rows.
 */
export function controller<M extends ResourceMessage, Extra>(options: ControllerOptions<M, Extra>): Controller {
  const { store, lease, events, operations, concurrency, reconcile } = options
  const logger = options.logger.child({ controller: options.name })
  const stopping = new AbortController()
  const lifetime = AbortSignal.any([stopping.signal, lease.signal])

  /** What each present run has seen, so that it is interrupted only by news. */
  const seen = new Map<string, Promise<Seen>>()

  const queue = keyedQueue({
    concurrency,
    logger,
    async run(id, { signal, failingSinceMs }) {
      const reading = Promise.all([store.byId(id), operations.openFor(id)])
      const facts = reading.then(factsOf)
      // Mostly nobody asks: the run itself says that the database is away.
      facts.catch(() => {})
      seen.set(id, facts)
      try {
        const [row, open] = await reading
        if (row === undefined || row.host !== lease.hostId) return settled()
        return await reconcile(row, { signal: AbortSignal.any([signal, lease.signal]), lifetime, lease, operations: open, failingSinceMs })
      } finally {
        seen.delete(id)
      }
    },
  })

  function hear({ kind, id, verb, parent }: Change): void {
    // Status is this controller's own word. An Ensure that wrote the row asks for a run right after its commit: that one comes first, so that
    // its errors are the caller's, and one more is not needed.
    if (kind === store.kind && verb !== 'status' && verb !== 'deleted') {
      const since = queue.now()
      setImmediate(() => queue.enqueue(id, { since }))
    }
    if (kind === store.kind && verb === 'deleting') soon(() => interrupt(id))
    if (kind === 'operation' && verb === 'cancelling' && parent?.startsWith(`${store.idPrefix}_`)) {
      queue.enqueue(parent)
      soon(() => interrupt(parent))
    }
  }

  /** Aborts a run that began before its resource was deleted or its operation cancelled. */
  async function interrupt(id: string): Promise<void> {
    const before = await seen.get(id)
    if (before === undefined) return
    const now = factsOf(await Promise.all([store.byId(id), operations.openFor(id)]))
    if (now.deleted && !before.deleted) queue.interrupt(id, aborted('RESOURCE_DELETED', 'the resource is being deleted'))
    else if (now.cancelled.some((operation) => !before.cancelled.includes(operation)))
      queue.interrupt(id, cancelled('OPERATION_CANCELLED', 'the operation was cancelled'))
  }

  /** What wakes would have said, for when they are lost. */
  async function poll(): Promise<void> {
    for (const id of await store.unsettled(lease.hostId)) queue.enqueue(id, { patient: true })
    for (const id of queue.running()) await interrupt(id)
  }

  async function lookAtAll(): Promise<void> {
    for (const { id } of await store.onHost(lease.hostId)) queue.enqueue(id, { patient: true })
  }

  const pending = new Set<Promise<void>>()
  function soon(look: () => Promise<void>): void {
    const looking = look().catch((error: unknown) => logger.warn({ err: error }, 'could not look; the next poll will'))
    pending.add(looking)
    void looking.finally(() => pending.delete(looking))
  }

  const stops = [
    events.wakes.on(hear),
    events.wakes.poll(unsettledEveryMs, () => soon(poll)),
    events.wakes.poll(allEveryMs, () => soon(lookAtAll)),
  ]
  soon(() => untilRead(lookAtAll, lifetime))

  async function stop(reason: Error): Promise<void> {
    for (const end of stops.splice(0)) end()
    stopping.abort(reason)
    await queue.stop(reason)
    await Promise.all(pending)
  }
  lease.signal.addEventListener('abort', () => void stop(lease.signal.reason as Error), { once: true })

  return {
    enqueue: (id) => queue.enqueue(id),
    reconcileNow: (id, signal) => queue.runNow(id, signal),
    [Symbol.asyncDispose]: () => stop(unavailable('SHUTTING_DOWN', 'the service is ending')),
  }
}

type Seen = { deleted: boolean; cancelled: string[] }

function factsOf([row, open]: [{ deleteTime: Date | null } | undefined, OperationRow[]]): Seen {
  return {
    deleted: row !== undefined && row.deleteTime !== null,
    cancelled: open.filter(({ cancelRequested }) => cancelRequested).map(({ id }) => id),
  }
}

/** The first look must happen, however long the database is away. */
async function untilRead(look: () => Promise<void>, lifetime: AbortSignal): Promise<void> {
  for (let attempt = 1; !lifetime.aborted; attempt += 1) {
    try {
      return await look()
    } catch {
      await delay(Math.min(attempt * 100, 2_000), undefined, { signal: lifetime }).catch(() => {})
    }
  }
}

import { randomUUID } from 'node:crypto'
import type { Database, ResourceMessage, ResourceStore } from '@berth/db'
import type { Logger } from '@berth/telemetry'
import type { Msg } from '@nats-io/nats-core'
import { type BrokerState, openBroker } from './broker.ts'
import { sequence, startRelay } from './relay.ts'
import { createWakes, switchesOfTests, type Wakes } from './wakes.ts'
import { type Watched, type WatchRequest, watchResources } from './watch-resources.ts'

const relayPollMs = 2_000
/** The commits of one piece of work come close together: they share a turn of the relay, and watches hear so much later of the first. */
const relayAfterMs = 20

export type EventsOptions = {
  db: Database
  /** `nats://user:password@host:port`; undefined: events travel by polling alone. */
  natsUrl: string | undefined
  logger: Logger
}

/** All that a service has to do with events: its relay, its wakes and its watches. */
export type Events = AsyncDisposable & {
  readonly db: Database
  readonly wakes: Wakes
  /** Whether notice travels by NATS at present; never a reason not to serve. */
  brokerState(): BrokerState
  /** The stream of a Watch<Kind> call. */
  watchResources<M extends ResourceMessage, Extra>(store: ResourceStore<M, Extra>, request: WatchRequest): AsyncGenerator<Watched<M>>
}

/** Starts relay, wakes and the connection to NATS; waits for none of them. */
export function openEvents({ db, natsUrl, logger }: EventsOptions): Events {
  const switches = switchesOfTests()
  const wakes = createWakes(switches)
  const origin = randomUUID()
  const broker = openBroker({
    url: switches.events ? natsUrl : undefined,
    name: `berth-${db.service}`,
    logger,
    onMessage: (message) => hear(message),
    onConnected: () => relay.rescue(true),
  })
  const relay = startRelay({ db, broker, origin, logger, onSequenced: () => wakes.sequenced() })

  function hear(message: Msg): void {
    if (message.headers?.get('berth-origin') === origin) return
    const [, project, kind, id, verb] = message.subject.split('.')
    if (project === undefined || kind === undefined || id === undefined || verb === undefined) return
    if (message.headers?.get('ce-source') === `/berth/${db.service}`) wakes.sequenced()
    const parent = kind === 'operation' ? parentIn(message) : undefined
    wakes.emit({ project, kind, id, verb, ...(parent === undefined ? {} : { parent }) })
  }

  let soon: NodeJS.Timeout | undefined
  function kickNow(): void {
    clearTimeout(soon)
    soon = undefined
    relay.kick()
  }

  const stops = [
    db.onCommit((changes) => {
      if (switches.events) soon ??= setTimeout(kickNow, relayAfterMs)
      for (const change of changes) wakes.emit(change)
    }),
    wakes.poll(relayPollMs, () => {
      relay.kick()
      relay.rescue(false)
    }),
  ]
  relay.kick()

  return {
    db,
    wakes,
    brokerState: () => broker.state(),
    watchResources: (store, request) =>
      watchResources({ store: store as never, wakes, settle: async () => void (await sequence(db)), request }),
    async [Symbol.asyncDispose]() {
      for (const stop of stops) stop()
      if (soon) kickNow()
      await relay[Symbol.asyncDispose]()
      await broker[Symbol.asyncDispose]()
    },
  }
}

/** The resource an operation works on, as its event says; what comes of a wake is read from Postgres anyway. */
function parentIn(message: Msg): string | undefined {
  try {
    const body = message.json<{ resource?: { resourceId?: unknown } }>()
    return typeof body.resource?.resourceId === 'string' ? body.resource.resourceId : undefined
  } catch {
    return undefined
  }
}

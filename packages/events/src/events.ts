import { setTimeout as delay } from 'node:timers/promises'
import type { Change, Database, ResourceMessage, ResourceStore } from '@berth/db'
import type { Logger } from '@berth/telemetry'
import type { Msg } from '@nats-io/nats-core'
import { type BrokerState, openBroker } from './broker.ts'
import type { Sequenced } from './envelope.ts'
import { sequence, startRelay } from './relay.ts'
import { createWakes, switchesOfTests, type Wakes } from './wakes.ts'
import { type Watched, type WatchRequest, watchResources } from './watch-resources.ts'

const relayPollMs = 2_000
/** The commits of one piece of work come close together: they share a turn of the relay, and watches hear so much later of the first. */
const relayAfterMs = 20
const mostRemembered = 10_000
const lastWordsMs = 1_000

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
  const own = new Set<string>()
  const broker = openBroker({
    url: switches.events ? natsUrl : undefined,
    schema: db.service,
    logger,
    onWake: (message) => tell(changesIn(message)),
    onConnected: () => relay.rescue(true),
  })
  const relay = startRelay({
    db,
    broker,
    logger,
    onSequenced(rows) {
      const changes = rows.map(changeOf)
      broker.wake(JSON.stringify(changes))
      tell(changes)
    },
  })

  /** Events that have their place, given by whichever process was first: those of our own commits were told then. */
  function tell(changes: readonly Change[]): void {
    wakes.sequenced()
    for (const change of changes) if (!own.delete(change.event)) wakes.emit(change)
  }

  function remember({ event }: Change): void {
    own.add(event)
    // Those whose wake was lost: telling them twice does no harm.
    if (own.size > mostRemembered) own.delete(own.values().next().value ?? '')
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
      for (const change of changes) {
        remember(change)
        wakes.emit(change)
      }
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
      const ending = relay[Symbol.asyncDispose]()
      // What a broker in trouble has not taken by then is published by the next process.
      await Promise.race([ending, delay(lastWordsMs, undefined, { ref: false })])
      await broker[Symbol.asyncDispose]()
      await ending
    },
  }
}

function changeOf({ id: event, project, kind, resourceId: id, verb, resource }: Sequenced): Change {
  const parent = kind === 'operation' ? resource['resourceId'] : undefined
  const ofOperation = typeof parent === 'string' ? { parent, over: resource['endTime'] !== undefined } : {}
  return { project, kind, id, verb, event, ...ofOperation }
}

/** What comes of a wake is read from Postgres anyway. */
function changesIn(message: Msg): Change[] {
  try {
    const changes = message.json<unknown>()
    return Array.isArray(changes) ? (changes as Change[]) : []
  } catch {
    return []
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@berth/telemetry'
import { DiscardPolicy, jetstream, type JetStreamClient, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { headers, type Msg, type NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'

export const streamName = 'BERTH'
const dayNs = 24 * 3600 * 1_000_000_000

export type BrokerState = 'connecting' | 'connected' | 'disconnected' | 'off'
export type Outgoing = { subject: string; id: string; headers: Record<string, string>; body: string }

export type Broker = AsyncDisposable & {
  state(): BrokerState
  /** Resolves with the ids that the stream has stored; those that failed are not among them. */
  publish(messages: Outgoing[]): Promise<Set<string>>
  /** Tells the other processes of the schema; whoever is not connected does not hear it. */
  wake(text: string): void
}

export type BrokerOptions = {
  /** `nats://user:password@host:port`; undefined: no broker, polls do its work. */
  url: string | undefined
  /** Of the service's schema. */
  schema: string
  logger: Logger
  /** Called with what another process of the schema told. */
  onWake: (message: Msg) => void
  /** Called at each connection, also after a loss. */
  onConnected: () => void
}

/** A connection that nobody waits for: made in the background, made again for ever, its state for all to see. */
export function openBroker({ url, schema, logger, onWake, onConnected }: BrokerOptions): Broker {
  // Beside the stream's subjects: what only the processes of one schema want to know goes to nobody else.
  const wakeSubject = `berth-wake.${schema}`
  const closing = new AbortController()
  let state: BrokerState = url === undefined ? 'off' : 'connecting'
  let connection: NatsConnection | undefined
  const running = url === undefined ? Promise.resolve() : run(url)

  async function run(address: string): Promise<void> {
    for (let attempt = 0; !closing.signal.aborted; attempt += 1) {
      try {
        await session(address)
        return
      } catch (error) {
        if (attempt === 0) logger.warn({ err: error }, 'NATS cannot be reached; events go by polling until it can')
        await delay(Math.min(200 * 2 ** attempt, 5_000) * (0.5 + Math.random()), undefined, { signal: closing.signal }).catch(() => {})
      }
    }
  }

  async function session(address: string): Promise<void> {
    const made = await connect({
      ...serverOf(address),
      name: `berth-${schema}`,
      noEcho: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      reconnectJitter: 400,
      timeout: 5_000,
      // Or each publish makes two errors beforehand, in case it fails.
      noAsyncTraces: true,
    })
    if (closing.signal.aborted) return made.close()
    connection = made
    made.subscribe(wakeSubject, { callback: (_, message) => onWake(message) })
    await arrived(made)
    for await (const status of made.status()) {
      if (status.type === 'disconnect') state = 'disconnected'
      if (status.type === 'reconnect') await arrived(made)
    }
  }

  async function arrived(made: NatsConnection): Promise<void> {
    await ensureStream(made).catch((error: unknown) => logger.warn({ err: error }, 'the stream BERTH cannot be made'))
    state = 'connected'
    onConnected()
  }

  async function publish(messages: Outgoing[]): Promise<Set<string>> {
    if (connection === undefined || state !== 'connected') return new Set()
    const stored = await publishAll(jetstream(connection, { timeout: 5_000 }), messages)
    if (stored.size > 0 || messages.length === 0) return stored
    // Nothing was stored: somebody may have deleted the stream.
    await ensureStream(connection).catch(() => {})
    return publishAll(jetstream(connection, { timeout: 5_000 }), messages)
  }

  return {
    state: () => state,
    publish,
    wake(text) {
      if (state === 'connected') connection?.publish(wakeSubject, text)
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await connection?.close()
      await running
    },
  }
}

async function publishAll(client: JetStreamClient, messages: Outgoing[]): Promise<Set<string>> {
  const sent = messages.map(async ({ subject, id, headers: attributes, body }) => {
    const head = headers()
    for (const [key, value] of Object.entries(attributes)) head.set(key, value)
    await client.publish(subject, body, { msgID: id, headers: head })
    return id
  })
  const settled = await Promise.allSettled(sent)
  return new Set(settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])))
}

/** Made when it is missing; what others have set on it stays. */
async function ensureStream(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection)
  const missing = await manager.streams.info(streamName).then(
    () => false,
    () => true,
  )
  if (!missing) return
  await manager.streams.add({
    name: streamName,
    subjects: ['berth.>'],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: dayNs,
    max_bytes: 256 * 1024 * 1024,
    duplicate_window: 120 * 1_000_000_000,
  })
}

function serverOf(url: string): { servers: string; user?: string; pass?: string } {
  const { host, username, password } = new URL(url)
  return { servers: host, ...(username === '' ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }) }
}

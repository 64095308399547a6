import { setTimeout as delay } from 'node:timers/promises'
import { isAlive } from '@berth/host'
import type { EmbeddedServer } from '@berth/host/embedded/index'
import type { Logger } from '@berth/telemetry'

/** The server may be another's child (adopted), so that its end is found by looking. */
const LOOK_MS = 200
const FIRST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 10_000

/** A server that is started again, with backoff, whenever it ends before it is told to. Disposing ends it. */
export interface KeptServer extends AsyncDisposable {
  readonly url: string
}

/**
 * Starts a server and keeps it alive.
 *
 * @param start starts it or adopts the one that runs; its URL stays the same
 */
export async function keepServer(name: string, start: () => Promise<EmbeddedServer>, logger: Logger): Promise<KeptServer> {
  const stopping = new AbortController()
  let server = await start()
  const loop = keep()

  async function keep(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS
    for (;;) {
      await delay(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      if (isAlive(server.identity)) continue
      logger.warn({ server: name, backoffMs }, 'server ended, starting it again')
      try {
        server = await start()
        backoffMs = FIRST_BACKOFF_MS
      } catch (error) {
        // Processes of the dead one may still hold what the next one needs.
        logger.error({ err: error, server: name }, 'server could not be started')
        await delay(backoffMs, undefined, { signal: stopping.signal }).catch(() => undefined)
        backoffMs = Math.min(LONGEST_BACKOFF_MS, backoffMs * 2)
      }
    }
  }

  return {
    url: server.url,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await loop
      await server.stop()
    },
  }
}

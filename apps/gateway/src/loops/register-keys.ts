import type { Logger } from '@berth/telemetry'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SigningKeyRecord, SigningKeyStore } from '../domain/ports.ts'

export type RegisterKeysOptions = {
  store: SigningKeyStore
  /** Keys with a new end; `complete` is false while the host's own key cannot be named yet. */
  keys: () => Promise<{ records: SigningKeyRecord[]; complete: boolean }>
  logger: Logger
  signal: AbortSignal
  /** How often the end is moved, in milliseconds; default 1 hour. */
  everyMs?: number
}

/** The host gets its id within seconds of the first start. */
const incompleteMs = 1000

/** Keeps this gateway's and its host's public keys in the database, and moves their end; a key that nobody keeps ends by itself. */
export async function registerKeys({ store, keys, logger, signal, everyMs = 3_600_000 }: RegisterKeysOptions): Promise<void> {
  let waitMs = 200
  while (!signal.aborted) {
    try {
      const { records, complete } = await keys()
      await store.put(records)
      waitMs = 200
      await sleep(complete ? everyMs * (0.9 + Math.random() / 5) : incompleteMs, undefined, { signal })
    } catch (error) {
      if (signal.aborted) return
      logger.warn({ err: error }, 'the signing keys could not be registered; trying again')
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      waitMs = Math.min(waitMs * 2, 10_000)
    }
  }
}

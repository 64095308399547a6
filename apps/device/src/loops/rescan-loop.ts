import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@berth/telemetry'
import type { Inventory } from '../domain/rescan.ts'

const periodMs = 30_000
const firstBackoffMs = 500

/** Reads the bus again and again until `signal`: sysfs tells nobody when it changes. Errors (a database that is away) are tried again sooner. */
export async function rescanLoop(inventory: Inventory, logger: Logger, signal: AbortSignal): Promise<void> {
  let backoffMs = firstBackoffMs
  while (!signal.aborted) {
    let waitMs = periodMs * (0.75 + Math.random() / 2)
    try {
      const written = await inventory.rescan()
      if (written > 0) logger.info({ written }, 'inventory brought up to date')
      backoffMs = firstBackoffMs
    } catch (error) {
      logger.warn({ err: error }, 'the inventory could not be brought up to date')
      waitMs = backoffMs
      backoffMs = Math.min(backoffMs * 2, periodMs)
    }
    await delay(waitMs, undefined, { signal }).catch(() => undefined)
  }
}

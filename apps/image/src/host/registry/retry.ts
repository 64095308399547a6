import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '../../domain/limits.ts'
import { Transient } from './failures.ts'

export interface RetryOptions {
  signal: AbortSignal
  /** Tries in all, the first included; default 4. */
  attempts?: number
  /** Wait before the second try, doubled from then on; default 200 ms. */
  baseMs?: number
}

/** Runs `attempt` again while it fails with Transient and tries are left; the last failure is thrown as it is. */
export async function retrying<T>(attempt: (number: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, attempts = limits.attempts, baseMs = 200 } = options
  for (let number = 1; ; number++) {
    signal.throwIfAborted()
    try {
      return await attempt(number)
    } catch (error) {
      if (!(error instanceof Transient) || number >= attempts) throw error
      const ownMs = baseMs * 2 ** (number - 1) * (0.8 + 0.4 * Math.random())
      await sleep(Math.min(error.waitMs ?? ownMs, limits.retryAfterMs), undefined, { signal })
    }
  }
}

/** Milliseconds of a Retry-After header (seconds or a date); undefined when there is none. */
export function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const text = [header ?? []].flat()[0]
  if (text === undefined) return undefined
  const ms = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

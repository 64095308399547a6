import { isDeepStrictEqual } from 'node:util'
import type { OperationRow } from '@berth/db'
import type { Operations } from './operations.ts'

const lookEveryMs = 2_000

/** A row now and after each change of it, until `endMs` on the monotonic clock; the last answer is as of then. @throws the signal's reason */
export async function* untilChanged(
  { events }: Operations,
  read: () => Promise<OperationRow>,
  id: string,
  signal: AbortSignal,
  endMs = Number.POSITIVE_INFINITY,
): AsyncGenerator<OperationRow> {
  let told: OperationRow | undefined
  for (;;) {
    const waiting = new AbortController()
    const either = AbortSignal.any([signal, waiting.signal])
    // Listening begins before the look, so that no change falls between the two.
    const changed = events.wakes.next(id, {
      signal: either,
      timeoutMs: Math.max(0, Math.min(lookEveryMs * (0.8 + Math.random() * 0.4), endMs - performance.now())),
    })
    changed.catch(() => {})
    try {
      const row = await read()
      const over = performance.now() >= endMs
      if (over || !isDeepStrictEqual(row, told)) yield row
      if (over) return
      told = row
      await changed
    } finally {
      waiting.abort()
    }
  }
}

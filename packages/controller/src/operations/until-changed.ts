import { isDeepStrictEqual } from 'node:util'
import type { OperationRow } from '@berth/db'
import type { Operations } from './operations.ts'

/** Without a reason, abort would make an error with a stack each time. */
const over = 'the wait is over'
const lookEveryMs = 2_000

/**
 * A row now and after each change of it, until `endMs` on the monotonic clock; the last answer is as of then. With `end` of it, changes on the way
 * are told late or not at all. @throws the signal's reason
 */
export async function* untilChanged(
  { events }: Operations,
  read: () => Promise<OperationRow>,
  id: string,
  signal: AbortSignal,
  { endMs = Number.POSITIVE_INFINITY, end = false } = {},
): AsyncGenerator<OperationRow> {
  let told: OperationRow | undefined
  for (;;) {
    const waiting = new AbortController()
    const either = AbortSignal.any([signal, waiting.signal])
    // Listening begins before the look, so that no change falls between the two.
    const changed = events.wakes.next(id, {
      signal: either,
      end,
      timeoutMs: Math.max(0, Math.min(lookEveryMs * (0.8 + Math.random() * 0.4), endMs - performance.now())),
    })
    changed.catch(() => {})
    try {
      const row = await read()
      const late = performance.now() >= endMs
      if (late || !isDeepStrictEqual(row, told)) yield row
      if (late) return
      told = row
      await changed
    } finally {
      waiting.abort(over)
    }
  }
}

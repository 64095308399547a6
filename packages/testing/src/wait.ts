import { setTimeout as delay } from 'node:timers/promises'

/** Waits until `look` answers something that is neither undefined nor false. @throws after `withinMs` (default 10 s) with `what` */
export async function until<T>(what: string, look: () => T | Promise<T>, withinMs = 10_000): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== null && found !== false) return found as NonNullable<Exclude<T, false>>
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
    await delay(10)
  }
}

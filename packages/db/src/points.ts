/** Places in what all services share at which tests can cut it, as they do at a service's own steps. */
export type Point =
  /** A mutating call: its transaction has begun and written nothing. */
  | 'call.before'
  /** Everything is written, nothing committed. */
  | 'call.inside'
  /** Committed, not yet answered. */
  | 'call.committed'
  /** The relay is about to give events their places. */
  | 'relay.before'
  /** The broker has events that are not marked as published. */
  | 'relay.published'

type Cut = (point: Point) => Promise<void>
let cut: Cut | undefined

/** Lets a test's failpoints act at these places; undefined ends that. */
export function cutPoints(by: Cut | undefined): void {
  cut = by
}

/** Says that a place is reached; nothing happens outside tests. @throws what the failpoint throws */
export async function reach(point: Point): Promise<void> {
  await cut?.(point)
}

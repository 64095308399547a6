/** What an owner's hold says. */
export interface Held {
  imageId: string
  ready: boolean
  digest: string
}

export interface EnsurePorts<Input, Result extends Held> {
  /** Makes the hold, or reads it. @throws why the owner does not get the image, once that is known */
  ensure(input: Input, signal: AbortSignal): Promise<Result>
  /** Whether the root of this digest is on the host. */
  hasRoot(digest: string): Promise<boolean>
  /** Notes that it is not, so that it is made again. */
  lost(imageId: string): Promise<void>
  /** Has the host look at the image now. */
  wake(imageId: string): void
  /** Answers when the image may have changed, or after `timeoutMs`. */
  changed(imageId: string, timeoutMs: number, signal: AbortSignal): Promise<void>
  nowMs(): number
}

/** Longest wait for an image that is on its way. */
export const ENSURE_WAIT_MS = 1000
/** A change may fall between look and wait: look again before long. */
const LOOK_EVERY_MS = 100

/**
 * Gives an owner its image: at once when it is ready on this host (no registry is asked), else after a second at most, ready or not.
 * The first answer fixes the image, and so the digest.
 */
export async function ensureImage<Input, Result extends Held>(
  ports: EnsurePorts<Input, Result>,
  input: Input,
  signal: AbortSignal,
): Promise<Result> {
  const end = ports.nowMs() + ENSURE_WAIT_MS
  for (let look = 0; ; look++) {
    const held = await ports.ensure(input, signal)
    if (held.ready && (await ports.hasRoot(held.digest))) return held
    if (held.ready) await ports.lost(held.imageId)
    if (look === 0 || held.ready) ports.wake(held.imageId)
    const restMs = end - ports.nowMs()
    if (restMs <= 0) return { ...held, ready: false }
    await ports.changed(held.imageId, Math.min(restMs, LOOK_EVERY_MS), signal)
  }
}

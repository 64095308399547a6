/** Ends a disk's present pass when its owner wants it back: the pass may be stuck in a step that nobody needs any more. */
export type Interrupts = {
  /** Runs one pass; its signal aborts with `outer` and with `interrupt`. */
  during<T>(id: string, outer: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T>
  interrupt(id: string, reason: Error): void
}

export function createInterrupts(): Interrupts {
  const running = new Map<string, AbortController>()
  return {
    async during(id, outer, run) {
      const own = new AbortController()
      running.set(id, own)
      try {
        return await run(AbortSignal.any([outer, own.signal]))
      } finally {
        running.delete(id)
      }
    },
    interrupt: (id, reason) => running.get(id)?.abort(reason),
  }
}

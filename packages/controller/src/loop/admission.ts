import type { Operations } from '../operations/operations.ts'

export type Admission = {
  /**
   * Asks for a slot. True when the key has one: at once, or since an earlier call. False when it waits; it is enqueued when its turn comes.
   *
   * @param options.running the work had begun before a restart: it goes on whatever the number
   */
  enter(key: string, operationId: string, options?: { running?: boolean }): boolean
  /** Gives the slot or the place back. For a key without one it does nothing. */
  leave(key: string): void
  /** Keys that wait. */
  waiting(): number
}

export type AdmissionOptions = {
  /** What the host can do at once; at least 1. */
  slots: number
  operations: Pick<Operations, 'positions'>
  /** Runs a key's reconcile again. */
  enqueue: (key: string) => void
}

/**
 * Lets so many keys work at once; the others wait in the order in which they came, with stage QUEUED and their place (1 is next) in their
 * operation; 0, once, says that its turn has come. Places are distinct and only fall. A slot is held over several runs of the reconcile, until `leave`.
 */
export function admission({ slots, operations, enqueue }: AdmissionOptions): Admission {
  const inside = new Set<string>()
  const line = new Map<string, string>()

  /** `admitted` leaves its place in the same write in which the next one gets it. */
  function tell(admitted?: string): void {
    const places = new Map([...line.values()].map((operation, index) => [operation, index + 1]))
    if (admitted !== undefined) places.set(admitted, 0)
    operations.positions(places)
  }

  return {
    enter(key, operationId, { running = false } = {}) {
      if (inside.has(key)) return true
      const free = inside.size < slots && (line.size === 0 || line.keys().next().value === key)
      if (free || running) {
        inside.add(key)
        if (line.delete(key)) tell(operationId)
        return true
      }
      if (!line.has(key)) {
        line.set(key, operationId)
        tell()
      }
      return false
    },
    leave(key) {
      const left = inside.delete(key)
      const waited = line.delete(key)
      if (waited) tell()
      if (!left && !waited) return
      for (const next of [...line.keys()].slice(0, Math.max(0, slots - inside.size))) enqueue(next)
    },
    waiting: () => line.size,
  }
}

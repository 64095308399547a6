import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { VmEvent } from '../../domain/machine.ts'

type Happening = VmEvent extends infer E ? (E extends unknown ? Omit<E, 'seq' | 'timeMs'> : never) : never
type Line = { instanceId: string; event: VmEvent }

/** What happened to the VMs that only exist on paper: one line of JSON each, appended before anybody hears of it. */
export type PaperTrail = {
  events(instanceId: string): readonly VmEvent[]
  append(instanceId: string, event: Happening): VmEvent
  /** Instances that ever started. */
  instances(): string[]
  /** Calls `listener` after each appended event of an instance; returns the way to end that. */
  listen(instanceId: string, listener: () => void): () => void
}

/** Opens the record of a data folder; whoever reads the file later can count the starts. */
export function openPaperTrail(file: string): PaperTrail {
  mkdirSync(path.dirname(file), { recursive: true })
  const known = new Map<string, VmEvent[]>()
  const listeners = new Map<string, Set<() => void>>()
  const add = ({ instanceId, event }: Line): void => {
    known.set(instanceId, [...(known.get(instanceId) ?? []), event])
  }
  for (const line of linesOf(file)) add(line)
  return {
    events: (instanceId) => known.get(instanceId) ?? [],
    instances: () => [...known.keys()],
    append(instanceId, happening) {
      const event = { ...happening, seq: (known.get(instanceId)?.length ?? 0) + 1, timeMs: Date.now() } as VmEvent
      appendFileSync(file, `${JSON.stringify({ instanceId, event })}\n`)
      add({ instanceId, event })
      for (const listener of listeners.get(instanceId) ?? []) listener()
      return event
    },
    listen(instanceId, listener) {
      const set = listeners.get(instanceId) ?? new Set()
      listeners.set(instanceId, set.add(listener))
      return () => void set.delete(listener)
    },
  }
}

function linesOf(file: string): Line[] {
  try {
    // A line without its end was being written when its writer died: it never happened.
    const text = readFileSync(file, 'utf8')
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

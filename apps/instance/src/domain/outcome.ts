import { failedPrecondition, type BerthError } from '@berth/errors'

/** How an open operation ends when the instance has come to rest. */
export type Outcome = { state: 'DONE' | 'CANCELLED' } | { state: 'FAILED'; error: BerthError }

/** Where the instance came to rest: it runs as wanted, it is off as wanted, or it ended by itself. */
export type Rest = { at: 'running' } | { at: 'stopped' } | ({ at: 'ended'; failed: boolean } & Ended)

/** How a VM ended, with the VMM's own last words and the end of its guest's console; empty where there are none. */
export type Ended = { reason: string; message: string; console: string }

const wantsRunning = new Set(['instance.create', 'instance.start', 'instance.restart'])

/**
 * What becomes of an open operation. One that wanted something else was overtaken by a later call; one whose VM ended by itself has failed when that
 * was a failure.
 */
export function outcomeOf(kind: string, rest: Rest): Outcome {
  if (rest.at === 'running') return { state: kind === 'instance.stop' ? 'CANCELLED' : 'DONE' }
  if (rest.at === 'stopped') return { state: kind === 'instance.start' || kind === 'instance.restart' ? 'CANCELLED' : 'DONE' }
  if (rest.failed && wantsRunning.has(kind)) return { state: 'FAILED', error: vmmFailed(rest) }
  return { state: 'DONE' }
}

/** A VM that ended before it was ready. */
export function vmmFailed({ reason, message, console }: Ended): BerthError {
  const said = message.trim() === '' ? '' : `; the VMM said: ${message.trim()}`
  return failedPrecondition('VMM_FAILED', `the VM ended before its agent answered: ${reason}${said}`, {
    metadata: { exit: reason, console },
  })
}

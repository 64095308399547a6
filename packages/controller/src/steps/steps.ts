import { failpoint, registerFailpoint } from './failpoints.ts'

export type Step<Name extends string> = <T>(name: Name, signal: AbortSignal, run: () => Promise<T>) => Promise<T>

/**
 * The steps of one piece of work. Each has two failpoints, `<work>.<step>.before` and `….after`, known from this call on.
 * A step does not begin, and its result does not count, once the signal has aborted: what it did is found again by name.
 */
export function defineSteps<const Name extends string>(work: string, names: readonly Name[]): Step<Name> {
  for (const name of names) for (const side of ['before', 'after']) registerFailpoint(`${work}.${name}.${side}`)
  return async (name, signal, run) => {
    signal.throwIfAborted()
    await failpoint(`${work}.${name}.before`, signal)
    signal.throwIfAborted()
    const result = await run()
    await failpoint(`${work}.${name}.after`, signal)
    signal.throwIfAborted()
    return result
  }
}

import type { Say } from '../say.ts'
import { type ControlReply, listenForControl } from './control.ts'

/** Requests of `berth down`, from the moment the supervisor can hear them to the moment everything has ended. */
export interface DownRequests extends AsyncDisposable {
  /** Aborted by the first request. */
  readonly signal: AbortSignal
  /** Whether somebody asked for `--all`. */
  readonly wantsVmsDown: boolean
  /** Does the work; everybody who asked hears its progress, and its error if it fails. */
  answer(say: Say, work: (tell: (text: string) => void) => Promise<void>): Promise<void>
}

/** Listens for `berth down`. Those who asked hear the progress, and the end when this is disposed. */
export async function downRequests(runDir: string): Promise<DownRequests> {
  const asked = new AbortController()
  const replies = new Set<ControlReply>()
  let wantsVmsDown = false
  let problem: string | undefined = 'the supervisor ended before it was done'
  const control = await listenForControl(runDir, (command, reply) => {
    wantsVmsDown ||= command.all
    replies.add(reply)
    asked.abort(new Error('asked to end by berth down'))
  })
  return {
    signal: asked.signal,
    get wantsVmsDown() {
      return wantsVmsDown
    },
    async answer(say, work) {
      const tell = (text: string) => {
        say.line(text)
        for (const reply of replies) reply.progress(text)
      }
      try {
        await work(tell)
        problem = undefined
      } catch (error) {
        problem = (error as Error).message
        throw error
      }
    },
    async [Symbol.asyncDispose]() {
      for (const reply of replies) reply.end(problem)
      await control[Symbol.asyncDispose]()
    },
  }
}

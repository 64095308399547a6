import type { Say } from './say.ts'

/** Ctrl-C reaches this process twice within moments, from the terminal and from npm: only a later one means impatience. */
const SAME_KEYSTROKE_MS = 500

/** Aborted by the first SIGINT, SIGTERM or SIGHUP. A second one, half a second later or more, ends this process at once. */
export function stopSignal(say: Say): AbortSignal {
  const stop = new AbortController()
  let firstAt = 0
  const onSignal = (signal: NodeJS.Signals) => {
    if (!stop.signal.aborted) {
      firstAt = Date.now()
      stop.abort(new Error(`stopped by ${signal}`))
      return
    }
    if (Date.now() - firstAt < SAME_KEYSTROKE_MS) return
    say.line('ending at once')
    process.exit(130)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  return stop.signal
}

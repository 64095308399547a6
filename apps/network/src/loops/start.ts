import type { NetworkContext } from './context.ts'
import { convergeLoop, dnsLoop } from './converge.ts'

/** Starts the loops of this service; disposing ends them and waits for what they are doing. */
export function startLoops(ctx: NetworkContext): AsyncDisposable {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, ctx.lease.signal])
  const running = [convergeLoop(ctx, signal), dnsLoop(ctx, signal)]
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.all(running)
    },
  }
}

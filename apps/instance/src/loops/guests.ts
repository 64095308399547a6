import { setTimeout as delay } from 'node:timers/promises'
import type { Events } from '@berth/events'
import { failedPrecondition } from '@berth/errors'
import type { Guests } from '../domain/api.ts'
import { placeOf } from '../domain/place.ts'
import { isRunning } from '../domain/status.ts'
import type { InstanceContext } from './context.ts'
import type { Living } from './living.ts'

/** After a restart of this service a call waits so long for its VM to be found, or for a session that is being opened again. */
const patienceMs = 5_000
const followEveryMs = 5_000

type Context = Pick<InstanceContext, 'living' | 'hypervisor' | 'folders' | 'store'> & { events: Events }
type Who = Parameters<Guests['agent']>[0]

/** The guests of this host, for the routes. */
export function guestsOf(ctx: Context): Guests {
  async function found(instance: Who, signal: AbortSignal): Promise<Living | undefined> {
    for (;;) {
      const living = ctx.living.known(instance.id)
      if (living || !instance.status || !isRunning(instance.status) || signal.aborted) return living
      await delay(20, undefined, { signal }).catch(() => {})
    }
  }

  async function* console(
    instance: Who,
    range: Parameters<Guests['console']>[1],
    signal: AbortSignal,
  ): ReturnType<Guests['console']> & AsyncGenerator {
    let { offset, tailBytes } = range
    for (;;) {
      const row = await ctx.store.byId(instance.id)
      if (!row) return
      const place = placeOf({ id: row.id, uid: row.extra.uid }, ctx.folders)
      for await (const piece of ctx.hypervisor.console(place, { offset, tailBytes, follow: range.follow }, signal)) {
        ;[offset, tailBytes] = [piece.nextOffset, 0]
        yield piece
      }
      if (!range.follow) return
      // The VM has ended; the next one goes on at the same offset.
      await ctx.events.wakes.next(instance.id, { signal, timeoutMs: followEveryMs })
    }
  }

  return {
    console,
    async agent(instance, signal) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)])
      const living = await found(instance, limit)
      signal.throwIfAborted()
      if (!living)
        throw failedPrecondition('INSTANCE_NOT_RUNNING', `instance “${instance.name}” does not run`, {
          metadata: { instance: instance.id },
        })
      try {
        return await living.agents.ready(limit)
      } catch {
        signal.throwIfAborted()
        throw failedPrecondition('AGENT_NOT_READY', `the agent of instance “${instance.name}” does not answer`, { retryAfterMs: 1_000 })
      }
    },
  }
}

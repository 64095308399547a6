import { type ContextKey, createContextKey, type HandlerContext } from '@connectrpc/connect'

/** Who calls, as its token says. */
export type Caller = {
  /** `key_…` of a client, or `berth-<service>` of a service. */
  actor: string
  /** Project that names without one are looked up in. */
  project: string
  roles: string[]
  plane: 'public' | 'host'
  /** Id of the host that signed, for callers of the host plane that know it. */
  host?: string
  /** The token itself, to pass on to another replica of the same service; never logged. */
  token: string
}

export const callerKey: ContextKey<Caller | undefined> = createContextKey<Caller | undefined>(undefined, { description: 'caller' })
export const requestIdKey: ContextKey<string> = createContextKey('', { description: 'request id' })

/** Who calls. Throws where the method is open to all (health): such a route must not ask. */
export function callerOf(ctx: Pick<HandlerContext, 'values'>): Caller {
  const caller = ctx.values.get(callerKey)
  if (!caller) throw new Error('this method is open and has no caller')
  return caller
}

/** Id of the request: the client's `x-request-id`, or one that was made. */
export function requestIdOf(ctx: Pick<HandlerContext, 'values'>): string {
  return ctx.values.get(requestIdKey)
}

/** Headers that pass a call on to another replica of the same service: the caller's own token and the request id. */
export function passOn(ctx: Pick<HandlerContext, 'values' | 'requestHeader'>): Record<string, string> {
  const headers: Record<string, string> = { authorization: `Bearer ${callerOf(ctx).token}`, 'x-request-id': requestIdOf(ctx) }
  for (const name of ['traceparent', 'tracestate', 'baggage']) {
    const value = ctx.requestHeader.get(name)
    if (value) headers[name] = value
  }
  return headers
}

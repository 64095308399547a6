import { unavailable } from '@berth/errors'
import type { Logger } from '@berth/telemetry'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { type Authenticator, identityGate } from '../gates/identity.ts'
import { permissionGate } from '../gates/permission.ts'
import { requirePolicies } from '../gates/policy.ts'
import { requestIdGate } from '../gates/request-id.ts'
import { warmValidation } from '../gates/validation.ts'
import { addService, type ServiceEntry } from './adapter.ts'
import { bareStatusInterceptor } from './bare-status.ts'
import { callRecord, type ObserveCall } from './call-record.ts'
import { HealthState, healthService } from './health.ts'
import { defaultLimits, type Limits } from './limits.ts'
import type { Pipeline } from './pipeline.ts'
import { reflectionServices } from './reflection.ts'

export type ServeOptions = {
  /** Name of the service, for the log. */
  name: string
  /** Where to listen, `host:port`; port 0 takes a free one. */
  listen: string
  services: ServiceEntry[]
  /** Who a credential belongs to; see `verifier`. */
  auth: Authenticator
  logger: Logger
  limits?: Partial<Limits>
  /** Closes the server, like disposing it does. */
  shutdownSignal?: AbortSignal
  /** Told of every call that ended, for metrics. */
  observe?: ObserveCall
}

export type RpcServer = AsyncDisposable & {
  /** Port it listens on. */
  port: number
  /** What the health service says; true from the start. */
  setServing(serving: boolean): void
}

/**
 * Serves over gRPC: request id, identity, permission, validation, route, error mapping, in this order for every call; health
 * (open) and reflection (needs an identity) come with it. Disposing it says NOT_SERVING, ends streams with UNAVAILABLE
 * (`SHUTTING_DOWN`), waits for unary calls up to the drain limit, then ends those too.
 *
 * @throws Error when a method declares no permission or has no route, or when the address cannot be listened on
 */
export async function serve(options: ServeOptions): Promise<RpcServer> {
  const limits: Limits = { ...defaultLimits, ...options.limits }
  const descs = options.services.map(({ desc }) => desc)
  requirePolicies(descs)
  const drain = new AbortController()
  const force = new AbortController()
  const pipeline: Pipeline = {
    gates: [requestIdGate(), identityGate(options.auth), permissionGate()],
    limits,
    drainSignal: drain.signal,
    forceSignal: force.signal,
    record: callRecord(options.logger, options.observe),
  }
  const health = new HealthState(descs.map(({ typeName }) => typeName))
  const server = new Server({
    'grpc.max_receive_message_length': limits.receiveBytes,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    interceptors: [bareStatusInterceptor(limits)],
  })
  for (const entry of [...options.services, healthService(health), ...reflectionServices(descs)]) addService(server, entry, pipeline)
  const port = await bind(server, options.listen)
  const warming = warmValidation(descs)
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    warming[Symbol.dispose]()
    closing ??= closeServer(server, health, drain, force, limits.drainMs)
    return closing
  }
  options.shutdownSignal?.addEventListener('abort', () => void close(), { once: true })
  if (options.shutdownSignal?.aborted) void close()
  options.logger.info({ listen: options.listen, port }, 'listening')
  return { port, setServing: (serving) => health.setServing(serving), [Symbol.asyncDispose]: close }
}

function bind(server: Server, listen: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)))
  })
}

async function closeServer(
  server: Server,
  health: HealthState,
  drain: AbortController,
  force: AbortController,
  drainMs: number,
): Promise<void> {
  const reason = unavailable('SHUTTING_DOWN', 'the server is shutting down', { retryAfterMs: 1000 })
  health.setServing(false)
  // Watchers of health hear of it before their streams end.
  await new Promise((resolve) => setImmediate(resolve))
  drain.abort(reason)
  const gone = new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
  const timer = setTimeout(() => {
    force.abort(reason)
    setImmediate(() => server.forceShutdown())
  }, drainMs)
  await gone.finally(() => clearTimeout(timer))
}

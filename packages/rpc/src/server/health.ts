import { Health, HealthCheckResponse_ServingStatus as Status } from '@berth/proto/grpc/health/v1/health_pb.ts'
import { notFound } from '@berth/errors'
import { EventEmitter, on } from 'node:events'
import { type ServiceEntry, service } from './adapter.ts'

/** What the health service says: the whole server by the empty name, and each service by its own. */
export class HealthState {
  readonly #names: Set<string>
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #serving = true

  constructor(names: string[]) {
    this.#names = new Set(['', ...names])
  }

  setServing(serving: boolean): void {
    if (serving === this.#serving) return
    this.#serving = serving
    this.#changes.emit('change')
  }

  /** Undefined for a name nobody serves. */
  status(name: string): Status | undefined {
    if (!this.#names.has(name)) return undefined
    return this.#serving ? Status.SERVING : Status.NOT_SERVING
  }

  all(): Record<string, { status: Status }> {
    return Object.fromEntries([...this.#names].map((name) => [name, { status: this.#serving ? Status.SERVING : Status.NOT_SERVING }]))
  }

  /** The status now and after every change, until the signal fires. */
  async *watch(name: string, signal: AbortSignal): AsyncGenerator<Status> {
    const changes = on(this.#changes, 'change', { signal })
    let last = this.status(name) ?? Status.SERVICE_UNKNOWN
    yield last
    for await (const _ of changes) {
      const next = this.status(name) ?? Status.SERVICE_UNKNOWN
      if (next !== last) yield next
      last = next
    }
  }
}

/** The gRPC health service; the one service that answers without a credential. */
export function healthService(state: HealthState): ServiceEntry {
  return service(Health, {
    check({ service: name }) {
      const status = state.status(name)
      if (status === undefined) throw notFound('SERVICE_UNKNOWN', 'no such service', { field: 'service' })
      return { status }
    },
    async *watch({ service: name }, ctx) {
      for await (const status of state.watch(name, ctx.signal)) yield { status }
    },
    list() {
      return { statuses: state.all() }
    },
  })
}

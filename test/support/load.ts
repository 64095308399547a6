import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from '@berth/cli/api'
import { isBerthError } from '@berth/errors'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'

const deadlineMs = 5_000
const workers = 3

/** What a load has seen. */
export interface Seen {
  /** Instances that were made, waited for, run in and deleted, with the milliseconds from asking to DONE. */
  readonly rounds: { readonly id: string; readonly startMs: number; readonly createMs: number }[]
  /** Refusals, `CODE REASON` → how often. */
  readonly refusals: Map<string, number>
  /** What must not have happened. */
  readonly faults: string[]
}

/** Creates, awaits and deletes instances until it is ended; whatever is refused is asked again with the same request id. */
export function startLoad(api: Api, image: string): AsyncDisposable & { seen: Seen; end(): Promise<Seen> } {
  const seen: Seen = { rounds: [], refusals: new Map(), faults: [] }
  const label = crypto.randomUUID().slice(0, 4)
  let going = true

  async function asked<T>(what: string, call: (options: { timeoutMs: number }) => Promise<T>): Promise<T> {
    for (const endMs = performance.now() + 40_000; ; ) {
      const startMs = performance.now()
      try {
        return await call({ timeoutMs: deadlineMs })
      } catch (error) {
        const tookMs = performance.now() - startMs
        const text = isBerthError(error) ? `${error.code} ${error.reason}` : String(error)
        seen.refusals.set(text, (seen.refusals.get(text) ?? 0) + 1)
        const right = isBerthError(error) && ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'ABORTED'].includes(error.code)
        if (!right) seen.faults.push(`${what}: ${text} ${String(error)}`)
        if (tookMs > deadlineMs + 1_000) seen.faults.push(`${what} was refused after ${tookMs} ms: ${text}`)
        if (performance.now() > endMs) throw error
        await delay(100)
      }
    }
  }

  async function untilDone(operation: { id: string; kind: string } | undefined): Promise<void> {
    for (;;) {
      const request = { id: operation?.id, timeout: { seconds: 3n } }
      const { operation: now } = await asked('wait', (options) => api.operations.waitOperation(request, options))
      if (!now?.endTime) continue
      if (now.state !== OperationState.DONE) seen.faults.push(`${now.kind} ended ${now.state}: ${now.error?.message}`)
      return
    }
  }

  async function round(name: string): Promise<void> {
    const startMs = performance.now()
    const [create, remove] = [crypto.randomUUID(), crypto.randomUUID()]
    const spec = { boot: { case: 'image' as const, value: { image } } }
    const first = await asked('create', (options) => api.instances.createInstance({ name, requestId: create, spec }, options))
    await untilDone(first.operation)
    const createMs = performance.now() - startMs
    const again = await asked('repeat', (options) => api.instances.createInstance({ name, requestId: create, spec }, options))
    const id = first.instance?.id ?? ''
    if (again.instance?.id !== id) seen.faults.push(`request id of ${name} found ${again.instance?.id} and not ${id}`)
    const gone = await asked('delete', (options) => api.instances.deleteInstance({ id, requestId: remove }, options))
    await untilDone(gone.operation)
    seen.rounds.push({ id, startMs, createMs })
  }

  const running = Array.from({ length: workers }, async (_, worker) => {
    try {
      for (let n = 0; going; n += 1) await round(`load-${label}-${worker}-${n}`)
    } catch (error) {
      seen.faults.push(`worker ${worker} gave up: ${String(error)}`)
    }
  })
  const end = async (): Promise<Seen> => {
    going = false
    await Promise.all(running)
    return seen
  }
  return {
    seen,
    end,
    async [Symbol.asyncDispose]() {
      await end()
    },
  }
}

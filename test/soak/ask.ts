import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from '@berth/cli/api'
import { isBerthError } from '@berth/errors'
import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'

/** Every operation ends, and every refusal of a call that may be asked again is over, within this. */
export const BOUND_MS = 180_000
const DEADLINE_MS = 10_000
const AGAIN_MS = 200

/** What the run has found against the product. */
export interface Faults {
  add(text: string): void
}

/** Whether a client asks again after this, as long as it is being shot. */
export function mayPass(error: unknown): boolean {
  return isBerthError(error) && ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'ABORTED'].includes(error.code)
}

/** Asks again while services are away, as a client does. @throws what it was refused with for good, or after the bound */
export async function insist<T>(call: (options: { timeoutMs: number }) => Promise<T>): Promise<T> {
  const end = performance.now() + BOUND_MS
  for (;;) {
    try {
      return await call({ timeoutMs: DEADLINE_MS })
    } catch (error) {
      if (!mayPass(error) || performance.now() > end) throw error
      await delay(AGAIN_MS)
    }
  }
}

/** Waits for the end of an operation over whatever is shot meanwhile. @throws when it has none within the bound */
export async function ended(api: Api, operation: Operation | undefined): Promise<Operation> {
  if (!operation) throw new Error('no operation')
  const { id, kind, resourceName } = operation
  for (const end = performance.now() + BOUND_MS; performance.now() < end; ) {
    const request = { id, timeout: { seconds: 3n } }
    const { operation: last } = await insist((options) => api.operations.waitOperation(request, options))
    if (last?.endTime) return last
  }
  throw new Error(`${kind} of ${resourceName} had not ended after ${BOUND_MS / 1000} s`)
}

/** @throws when an operation ends otherwise than well */
export async function done(api: Api, operation: Operation | undefined): Promise<void> {
  const { state, kind, resourceName, error } = await ended(api, operation)
  if (state !== OperationState.DONE) throw new Error(`${kind} of ${resourceName} ended ${state}: ${error?.message}`)
}

import { type InstanceStatus, RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { isFailure } from './history.ts'

const firstMs = 1_000
const longestMs = 300_000
/** A VM that has run so long has run well: the next restart is the first again. */
export const goodRunMs = 600_000

export type Ended = {
  policy: RestartPolicy
  /** Reason of the last exit. */
  reason: string
  /** Restarts by policy since it last ran well. */
  restarts: number
  endMs: number
}

/**
 * When a VM that ended by itself is to be started again, in Unix milliseconds; undefined when the policy leaves it.
 * Waits double from 1 s to 5 min.
 */
export function nextRestart({ policy, reason, restarts, endMs }: Ended): number | undefined {
  if (policy === RestartPolicy.NEVER) return undefined
  if (policy !== RestartPolicy.ALWAYS && !isFailure(reason)) return undefined
  return endMs + Math.min(longestMs, firstMs * 2 ** Math.min(restarts, 20))
}

/** When the start that the policy wants was due, in Unix milliseconds; 0 for a VM that never ended. */
export function startDueMs({ nextRestartTime, lastExit }: InstanceStatus): number {
  const due = nextRestartTime ?? lastExit?.time
  return due ? timestampMs(due) : 0
}

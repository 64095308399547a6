import { type Condition, ConditionSchema, ConditionStatus } from '@berth/proto/berth/common/v1/resource_pb.ts'
import type { InstanceStatus } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'

/**
 * `Ready`: the agent answers. `Running`: the guest's CPUs run. `WorkloadExited`: the workload has ended or could not be started.
 * `Crashed`: the VM last ended by a failure. `Degraded`: something was taken away under the VM that only a new start gives back.
 */
export type ConditionType = 'Ready' | 'Running' | 'WorkloadExited' | 'Crashed' | 'Degraded'

const longestMessage = 4096

export type Told = { type: ConditionType; holds: boolean; reason: string; message?: string }

/** Sets a condition; its time moves only when it turns. */
export function setCondition(status: InstanceStatus, { type, holds, reason, message = '' }: Told, nowMs: number): void {
  const wanted = holds ? ConditionStatus.TRUE : ConditionStatus.FALSE
  const before = conditionOf(status, type)
  const text = message.slice(0, longestMessage)
  if (before?.status === wanted && before.reason === reason && before.message === text) return
  const next = create(ConditionSchema, {
    type,
    status: wanted,
    reason,
    message: text,
    lastTransitionTime: before?.status === wanted ? before.lastTransitionTime : timestampFromMs(nowMs),
    observedGeneration: status.observedGeneration,
  })
  status.conditions = [...status.conditions.filter((condition) => condition.type !== type), next]
}

/** Takes a condition away: nothing is to be said of it. */
export function dropCondition(status: InstanceStatus, type: ConditionType): void {
  status.conditions = status.conditions.filter((condition) => condition.type !== type)
}

export function conditionOf(status: InstanceStatus, type: ConditionType): Condition | undefined {
  return status.conditions.find((condition) => condition.type === type)
}

/** Whether a condition is there and holds. */
export function holds(status: InstanceStatus, type: ConditionType): boolean {
  return conditionOf(status, type)?.status === ConditionStatus.TRUE
}

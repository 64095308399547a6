import { type Condition, ConditionSchema, ConditionStatus } from '@berth/proto/berth/common/v1/resource_pb.ts'
import { VolumeState, type VolumeStatus } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { create } from '@bufbuild/protobuf'
import { timestampNow } from '@bufbuild/protobuf/wkt'
import type { Attachment } from './access.ts'
import type { FoundDisk, Made } from './ports.ts'

/*
 *  PENDING ──made──► READY ──file lost or changed──► FAILED ──file back──► READY
 *     │                │                                │
 *     └────────────────┴──────────delete────────────────┴──► DELETING ──► (row removed)
 */

/** Whether the disk was made once: then a missing file is a loss. */
export function wasReady({ state }: VolumeStatus): boolean {
  return state === VolumeState.READY || state === VolumeState.FAILED
}

type Observed = { generation: number; attachments: Attachment[] }

/** The status of a disk that is on the host. */
export function readyStatus(
  before: VolumeStatus,
  found: FoundDisk,
  made: Made | undefined,
  { generation, attachments }: Observed,
): VolumeStatus {
  const writer = attachments.find(({ readOnly, releasing }) => !readOnly && !releasing)?.owner.id ?? ''
  return {
    ...before,
    state: VolumeState.READY,
    observedGeneration: BigInt(generation),
    allocatedBytes: BigInt(found.allocatedBytes),
    ...(made ? { method: made.method, methodReason: made.reason } : {}),
    writer,
    conditions: [ready(before.conditions, generation, ConditionStatus.TRUE, 'READY', '')],
  }
}

/** The status of a disk that cannot be used any more. */
export function failedStatus(
  before: VolumeStatus,
  generation: number,
  { reason, message }: { reason: string; message: string },
): VolumeStatus {
  return {
    ...before,
    state: VolumeState.FAILED,
    observedGeneration: BigInt(generation),
    conditions: [ready(before.conditions, generation, ConditionStatus.FALSE, reason, message)],
  }
}

function ready(before: Condition[], generation: number, status: ConditionStatus, reason: string, message: string): Condition {
  const last = before.find(({ type }) => type === 'Ready')
  const lastTransitionTime = last?.status === status ? last.lastTransitionTime : timestampNow()
  return create(ConditionSchema, { type: 'Ready', status, reason, message, observedGeneration: BigInt(generation), lastTransitionTime })
}

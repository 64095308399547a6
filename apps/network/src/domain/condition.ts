import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampNow } from '@bufbuild/protobuf/wkt'
import { type Condition, ConditionSchema } from '@berth/proto/berth/common/v1/resource_pb.ts'

/** A condition as it is now; its time is that of the last change of its status. */
export function conditionOf(before: Condition[], now: Omit<MessageInitShape<typeof ConditionSchema>, '$typeName' | '$unknown'>): Condition {
  const old = before.find(({ type }) => type === now.type)
  const lastTransitionTime = old && old.status === now.status && old.lastTransitionTime ? old.lastTransitionTime : timestampNow()
  return create(ConditionSchema, { ...now, lastTransitionTime })
}

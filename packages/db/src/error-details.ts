import { errorDomain, type ErrorStatus } from '@berth/errors'
import { BadRequestSchema, ErrorInfoSchema } from '@berth/proto/google/rpc/error_details_pb.ts'
import { type Status, StatusSchema } from '@berth/proto/google/rpc/status_pb.ts'
import { create, createRegistry } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'

/** What the JSON of an operation needs to know to print the details of its error. */
export const detailTypes = createRegistry(ErrorInfoSchema, BadRequestSchema)

/** A stored error as the message that callers see: one ErrorInfo, and the fields at fault when there are any. */
export function statusMessage(stored: ErrorStatus): Status {
  const { code, message, reason, metadata, violations } = stored
  const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain: errorDomain, reason, metadata }))]
  if (violations.length > 0) details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: violations })))
  return create(StatusSchema, { code, message, details })
}

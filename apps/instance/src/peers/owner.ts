import type { Grant, OwnerSchema } from '@berth/proto/berth/common/v1/resource_pb.ts'
import { failedPrecondition } from '@berth/errors'
import type { clientOf } from '@berth/rpc'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Holder } from '../domain/peers.ts'

/** What `connectTo` makes. */
export type PeerTransport = Parameters<typeof clientOf>[1]

export function ownerOf({ id }: Pick<Holder, 'id'>, slot: string): MessageInitShape<typeof OwnerSchema> {
  return { kind: id.startsWith('hst_') ? 'host' : 'instance', id, slot }
}

/** The path of a grant. */
export function grantedPath(grant: Grant | undefined): string {
  if (grant?.target.case !== 'path') throw failedPrecondition('BAD_GRANT', 'the grant names no path')
  return grant.target.value
}

/** The tap of a grant. */
export function grantedTap(grant: Grant | undefined): string {
  if (grant?.target.case !== 'tap') throw failedPrecondition('BAD_GRANT', 'the grant names no tap')
  return grant.target.value
}

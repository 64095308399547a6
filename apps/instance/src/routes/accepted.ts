import type { Instance } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import type { Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import type { Accepted } from '../domain/api.ts'

/** The answer to a mutating call, without what it has not. */
export function accepted({ resource, operation }: Accepted): { instance?: Instance; operation?: Operation } {
  return { ...(resource ? { instance: resource } : {}), ...(operation ? { operation } : {}) }
}

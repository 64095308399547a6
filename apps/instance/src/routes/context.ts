import type { Slice } from '@berth/controller/audit/clean-host'
import type { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import type { HostService, InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import type { clientOf, service } from '@berth/rpc'
import type { Auditor, Guests, Hosts, Instances } from '../domain/api.ts'

export type InstanceClient = ReturnType<typeof clientOf<typeof InstanceService>>
/** The implementation of a proto service, as `service()` takes it. */
export type Routes<S extends typeof InstanceService | typeof HostService | typeof AuditService> = Parameters<typeof service<S>>[1]

/** What the routes work with. */
export type RouteContext = {
  instances: Instances
  hosts: Hosts
  guests: Guests
  auditor: Auditor
  clean: Slice
  /** A client of the instance service at an address. */
  clientAt(address: string): InstanceClient
}

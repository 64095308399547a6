import type { HostService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import type { RouteContext, Routes } from './context.ts'

/** `berth.instance.v1.HostService`. */
export function hostRoutes({ hosts }: RouteContext): Routes<typeof HostService> {
  return {
    listHosts: async () => ({ hosts: await hosts.list() }),
  }
}

import type { Device, DeviceService, WatchDevicesResponse_Type } from '@berth/proto/berth/device/v1/device_pb.ts'
import { callerOf } from '@berth/rpc'
import type { ServiceImpl } from '@connectrpc/connect'
import type { PublicDevices } from '../domain/ports.ts'
import type { Inventory } from '../domain/rescan.ts'
import { validateDevice } from '../domain/validate-device.ts'

type WatchRequest = { project: string; filter: string; resumeToken: string; signal: AbortSignal }

export type DeviceRoutes = Inventory & {
  devices: PublicDevices
  watch(request: WatchRequest): AsyncIterable<{ type: WatchDevicesResponse_Type; resource: Device | undefined; resumeToken: string }>
}

/** The public calls. */
export function deviceRoutes(routes: DeviceRoutes): ServiceImpl<typeof DeviceService> {
  const { devices, watch } = routes
  return {
    async getDevice({ id }, ctx) {
      return { device: await devices.get(callerOf(ctx).project, id) }
    },
    async listDevices(request, ctx) {
      return devices.list(callerOf(ctx).project, request)
    },
    async *watchDevices({ filter, resumeToken: from }, ctx) {
      const request = { project: callerOf(ctx).project, filter, resumeToken: from, signal: ctx.signal }
      for await (const { type, resource, resumeToken } of watch(request)) yield { type, device: resource, resumeToken }
    },
    async validateDevice({ id }, ctx) {
      return validateDevice(routes, callerOf(ctx).project, id)
    },
  }
}

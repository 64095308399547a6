import { AccessService } from '@berth/proto/berth/access/v1/access_pb.ts'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { DeviceService } from '@berth/proto/berth/device/v1/device_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { ImageService, KernelService } from '@berth/proto/berth/image/v1/image_pb.ts'
import { HostService, InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { NetworkService } from '@berth/proto/berth/network/v1/network_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { VolumeService } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { clientOf, connectTo } from '@berth/rpc'

/** Typed clients of every public service, over one channel. */
export type Api = ReturnType<typeof openApi>

/** Opens the API at an endpoint (`http://host:port` or `host:port`) with an API key or identity token. */
export function openApi(connection: { readonly endpoint: string; readonly token: string }) {
  const transport = connectTo({ target: targetOf(connection.endpoint), identity: connection.token })
  return {
    instances: clientOf(InstanceService, transport),
    hosts: clientOf(HostService, transport),
    images: clientOf(ImageService, transport),
    kernels: clientOf(KernelService, transport),
    volumes: clientOf(VolumeService, transport),
    networks: clientOf(NetworkService, transport),
    devices: clientOf(DeviceService, transport),
    operations: clientOf(OperationService, transport),
    events: clientOf(EventService, transport),
    audit: clientOf(AuditService, transport),
    access: clientOf(AccessService, transport),
    close: () => transport[Symbol.dispose](),
  }
}

/** The channel's target of an endpoint: scheme and path fall away, the port defaults to the gateway's. */
export function targetOf(endpoint: string): string {
  const url = new URL(endpoint.includes('://') ? endpoint : `http://${endpoint}`)
  return `${url.hostname}:${url.port || '7000'}`
}

import { AccessService } from '@berth/proto/berth/access/v1/access_pb.ts'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { DeviceService } from '@berth/proto/berth/device/v1/device_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { ImageService, KernelService } from '@berth/proto/berth/image/v1/image_pb.ts'
import { HostService, InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { NetworkService } from '@berth/proto/berth/network/v1/network_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { VolumeService } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { connectTo } from '@berth/rpc'
import { createClient } from '@connectrpc/connect'

/** Typed clients of every public service, over one channel. */
export type Api = ReturnType<typeof openApi>

/** Opens the API at an endpoint (`http://host:port` or `host:port`) with an API key or identity token. */
export function openApi(connection: { readonly endpoint: string; readonly token: string }) {
  const transport = connectTo({ target: targetOf(connection.endpoint), identity: connection.token })
  return {
    instances: createClient(InstanceService, transport),
    hosts: createClient(HostService, transport),
    images: createClient(ImageService, transport),
    kernels: createClient(KernelService, transport),
    volumes: createClient(VolumeService, transport),
    networks: createClient(NetworkService, transport),
    devices: createClient(DeviceService, transport),
    operations: createClient(OperationService, transport),
    events: createClient(EventService, transport),
    audit: createClient(AuditService, transport),
    access: createClient(AccessService, transport),
    close: () => transport.close(),
  }
}

/** The channel's target of an endpoint: scheme and path fall away, the port defaults to the gateway's. */
export function targetOf(endpoint: string): string {
  const url = new URL(endpoint.includes('://') ? endpoint : `http://${endpoint}`)
  return `${url.hostname}:${url.port || '7000'}`
}

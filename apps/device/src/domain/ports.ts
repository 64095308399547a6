import type { Device } from '@berth/proto/berth/device/v1/device_pb.ts'
import type { InventoryChange, KnownDevice } from './inventory.ts'

/** The rows of devices. */
export type DeviceRows = {
  /** All devices of a host. */
  onHost(host: string): Promise<KnownDevice[]>
  /** Writes changes of this host, under its lease. */
  write(changes: InventoryChange[]): Promise<void>
}

/** The devices behind the public calls. */
export type PublicDevices = {
  /** By id or name. @throws NotFound(`DEVICE_NOT_FOUND`) */
  get(project: string, reference: string): Promise<Device>
  /** @throws InvalidArgument(`BAD_PAGE_TOKEN` | `BAD_FILTER`) */
  list(
    project: string,
    page: { pageSize: number; pageToken: string; filter: string },
  ): Promise<{ devices: Device[]; nextPageToken: string }>
}

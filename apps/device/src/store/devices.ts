import { type Database, type Fence, resourceStore, type ResourceStore, type Stored, type Tx } from '@berth/db'
import { ConditionStatus } from '@berth/proto/berth/common/v1/resource_pb.ts'
import {
  type Device,
  DeviceSchema,
  DeviceSpecSchema,
  type DeviceStatus,
  DeviceStatusSchema,
} from '@berth/proto/berth/device/v1/device_pb.ts'
import { create } from '@bufbuild/protobuf'
import { timestampNow } from '@bufbuild/protobuf/wkt'
import type { DeviceFacts, InventoryChange, KnownDevice } from '../domain/inventory.ts'
import type { PciFunction, PciNames } from '../domain/pci.ts'
import type { DeviceRows, PublicDevices } from '../domain/ports.ts'
import { devices } from './tables.ts'

type Extra = { address: string; facts: DeviceFacts }
type Row = Stored<Device, Extra>

export const deviceStore = (db: Database): ResourceStore<Device, Extra> =>
  resourceStore({
    db,
    table: devices,
    kind: 'device',
    idPrefix: 'dev',
    schema: DeviceSchema,
    statusFilters: ['vendor_id', 'device_id', 'class_id', 'driver', 'iommu_group'],
  })

/** The public calls' view of the rows. */
export function publicDevices(db: Database): PublicDevices {
  const store = deviceStore(db)
  return {
    async get(project, reference) {
      return store.toMessage(await store.get(project, reference))
    },
    async list(project, page) {
      const { rows, nextPageToken } = await store.list(project, page)
      return { devices: rows.map(store.toMessage), nextPageToken }
    },
  }
}

/** The inventory's rows. Devices are the hosts': they are listed in the project `default`. */
export function deviceRows({ db, lease }: { db: Database; lease: Fence }): DeviceRows {
  const store = deviceStore(db)

  async function writeOne(tx: Tx, change: InventoryChange): Promise<void> {
    if (change.type === 'appeared') return void (await store.insert(tx, insertOf(change.device, lease.hostId)))
    const row = await store.lockById(tx, change.id)
    if (!row) return
    if (change.type === 'gone') return void (await store.updateStatus(tx, lease, row, statusOf(row.status, { present: false })))
    const { device } = change
    await store.updateStatus(tx, lease, row, statusOf(row.status, { ...device, present: true }), { facts: factsOf(device) })
  }

  return {
    async onHost(host) {
      return (await store.onHost(host)).map(knownOf)
    },
    write: (changes) =>
      db.transaction('device.rescan', async (tx) => {
        for (const change of changes) await writeOne(tx, change)
      }),
  }
}

function insertOf(device: PciFunction & PciNames, host: string) {
  return {
    project: 'default',
    name: nameOf(device.address, host),
    host,
    creator: 'berth-device',
    spec: create(DeviceSpecSchema, { address: device.address }),
    status: statusOf(create(DeviceStatusSchema), { ...device, present: true }),
    extra: { address: device.address, facts: factsOf(device) },
  }
}

/** Addresses are alike on all hosts and names unique in the project: the host's id tells them apart. */
function nameOf(address: string, host: string): string {
  return `pci-${address.replaceAll(/[:.]/g, '-')}-${host.slice(-8)}`
}

function factsOf({ virtualFunctions, physicalFunction, hostUses }: DeviceFacts): DeviceFacts {
  return { virtualFunctions, physicalFunction, hostUses }
}

type Shown = Partial<PciFunction & PciNames> & { present: boolean }

function statusOf(
  before: DeviceStatus,
  { vendorId, deviceId, classId, vendorName, deviceName, className, driver, iommuGroup, present }: Shown,
): DeviceStatus {
  const last = before.conditions.find(({ type }) => type === 'Present')
  const status = present ? ConditionStatus.TRUE : ConditionStatus.FALSE
  return create(DeviceStatusSchema, {
    vendorId: vendorId ?? before.vendorId,
    deviceId: deviceId ?? before.deviceId,
    classId: classId ?? before.classId,
    vendorName: vendorName ?? before.vendorName,
    deviceName: deviceName ?? before.deviceName,
    className: className ?? before.className,
    driver: driver ?? before.driver,
    iommuGroup: iommuGroup ?? before.iommuGroup,
    present,
    observedGeneration: 1n,
    conditions: [
      {
        type: 'Present',
        status,
        reason: present ? 'ON_THE_BUS' : 'NOT_PRESENT',
        observedGeneration: 1n,
        lastTransitionTime: last?.status === status ? last.lastTransitionTime : timestampNow(),
      },
    ],
  })
}

function knownOf({ id, status, extra }: Row): KnownDevice {
  const { vendorId, deviceId, classId, vendorName, deviceName, className, driver, iommuGroup, present } = status
  return {
    id,
    address: extra.address,
    vendorId,
    deviceId,
    classId,
    vendorName,
    deviceName,
    className,
    driver,
    iommuGroup,
    present,
    ...extra.facts,
  }
}

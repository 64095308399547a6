import { ConditionStatus } from '@berth/proto/berth/common/v1/resource_pb.ts'
import { type Device, DeviceSchema } from '@berth/proto/berth/device/v1/device_pb.ts'
import { CopyState, type Image, ImageSchema } from '@berth/proto/berth/image/v1/image_pb.ts'
import { type Instance, InstanceSchema, InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type Network, NetworkSchema } from '@berth/proto/berth/network/v1/network_pb.ts'
import { type Operation, OperationSchema, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { type Volume, VolumeSchema, VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { formatAge, formatBytes } from './format.ts'
import type { View } from './printer.ts'

/** The name of an enum's value without its type's prefix: `RUNNING`. */
export function enumName(type: Readonly<Record<string, string | number>>, value: number): string {
  return Object.entries(type).find(([, number]) => number === value)?.[0] ?? String(value)
}

/** `Running`, `Stopped`, `Deleting` …, with the reason where the instance is not ready. */
export function instanceState(instance: Instance): string {
  if (instance.deleteTime) return 'Deleting'
  const state = enumName(InstanceState, instance.status?.state ?? InstanceState.UNSPECIFIED)
  const ready = instance.status?.conditions.find((condition) => condition.type === 'Ready')
  const why = state === 'RUNNING' && ready && ready.status !== ConditionStatus.TRUE ? `(${ready.reason})` : ''
  return `${state.charAt(0)}${state.slice(1).toLowerCase()}${why}`
}

export const instanceView: View<typeof InstanceSchema> = {
  kind: 'instance',
  schema: InstanceSchema,
  name: (instance) => instance.name,
  id: (instance) => instance.id,
  columns: [
    { head: 'NAME', cell: (it) => it.name },
    { head: 'STATE', cell: instanceState },
    { head: 'IMAGE', cell: (it) => (it.spec?.boot.case === 'image' ? it.spec.boot.value.image : '') },
    { head: 'VCPUS', cell: (it) => String(it.spec?.vcpus ?? 0) },
    { head: 'MEMORY', cell: (it) => formatBytes(it.spec?.memoryBytes ?? 0n) },
    { head: 'IPV4', cell: (it) => it.status?.nics.map((nic) => nic.ipv4Address).join(',') ?? '' },
    { head: 'IPV6', cell: (it) => it.status?.nics.map((nic) => nic.ipv6Address).join(',') ?? '', wide: true },
    { head: 'ID', cell: (it) => it.id, wide: true },
    { head: 'HOST', cell: (it) => it.host, wide: true },
    { head: 'BOOTS', cell: (it) => String(it.status?.bootCount ?? 0), wide: true },
    { head: 'AGE', cell: (it) => formatAge(it.createTime) },
  ],
}

export const imageView: View<typeof ImageSchema> = {
  kind: 'image',
  schema: ImageSchema,
  name: (image) => image.name,
  id: (image) => image.id,
  columns: [
    { head: 'NAME', cell: (it) => it.name },
    { head: 'REFERENCE', cell: (it) => it.spec?.reference ?? '' },
    { head: 'DIGEST', cell: (it) => it.status?.digest.slice(7, 19) || '<pending>' },
    { head: 'SIZE', cell: (it) => formatBytes(it.status?.rootSizeBytes ?? 0n) },
    { head: 'STATE', cell: imageState },
    { head: 'ID', cell: (it) => it.id, wide: true },
    { head: 'AGE', cell: (it) => formatAge(it.createTime) },
  ],
}

function imageState(image: Image): string {
  if (image.deleteTime) return 'DELETING'
  return [...new Set(image.status?.copies.map((copy) => enumName(CopyState, copy.state)) ?? [])].join(',') || 'PENDING'
}

export const volumeView: View<typeof VolumeSchema> = {
  kind: 'volume',
  schema: VolumeSchema,
  name: (volume) => volume.name,
  id: (volume) => volume.id,
  columns: [
    { head: 'NAME', cell: (it) => it.name },
    { head: 'SIZE', cell: (it) => formatBytes(it.spec?.sizeBytes ?? 0n) },
    { head: 'ALLOCATED', cell: (it) => formatBytes(it.status?.allocatedBytes ?? 0n) },
    { head: 'STATE', cell: (it: Volume) => enumName(VolumeState, it.status?.state ?? 0) },
    { head: 'WRITER', cell: (it) => it.status?.writer ?? '' },
    { head: 'ID', cell: (it) => it.id, wide: true },
    { head: 'HOST', cell: (it) => it.host, wide: true },
    { head: 'AGE', cell: (it) => formatAge(it.createTime) },
  ],
}

export const networkView: View<typeof NetworkSchema> = {
  kind: 'network',
  schema: NetworkSchema,
  name: (network) => network.name,
  id: (network) => network.id,
  columns: [
    { head: 'NAME', cell: (it) => it.name },
    { head: 'BRIDGE', cell: (it: Network) => it.status?.hosts.map((host) => host.bridge).join(',') ?? '' },
    { head: 'IPV4', cell: (it) => it.status?.hosts.map((host) => host.ipv4Subnet).join(',') ?? '' },
    { head: 'IPV6', cell: (it) => it.status?.hosts.map((host) => host.ipv6Subnet).join(',') ?? '' },
    { head: 'ID', cell: (it) => it.id, wide: true },
    { head: 'AGE', cell: (it) => formatAge(it.createTime) },
  ],
}

export const deviceView: View<typeof DeviceSchema> = {
  kind: 'device',
  schema: DeviceSchema,
  name: (device) => device.name,
  id: (device) => device.id,
  columns: [
    { head: 'ADDRESS', cell: (it) => it.spec?.address ?? '' },
    { head: 'ID', cell: (it) => `${it.status?.vendorId}:${it.status?.deviceId}` },
    { head: 'CLASS', cell: (it: Device) => it.status?.className || it.status?.classId || '' },
    { head: 'DEVICE', cell: (it) => [it.status?.vendorName, it.status?.deviceName].filter(Boolean).join(' ') },
    { head: 'DRIVER', cell: (it) => it.status?.driver ?? '' },
    { head: 'GROUP', cell: (it) => it.status?.iommuGroup ?? '' },
    { head: 'HOST', cell: (it) => it.host, wide: true },
  ],
}

export const operationView: View<typeof OperationSchema> = {
  kind: 'operation',
  schema: OperationSchema,
  name: (operation) => operation.id,
  id: (operation) => operation.id,
  columns: [
    { head: 'ID', cell: (it) => it.id },
    { head: 'KIND', cell: (it) => it.kind },
    { head: 'RESOURCE', cell: (it) => it.resourceName || it.resourceId },
    { head: 'STATE', cell: (it: Operation) => enumName(OperationState, it.state) },
    { head: 'STAGE', cell: (it) => it.progress?.stage ?? '' },
    { head: 'ACTOR', cell: (it) => it.actor, wide: true },
    { head: 'HOST', cell: (it) => it.host, wide: true },
    { head: 'AGE', cell: (it) => formatAge(it.createTime) },
  ],
}

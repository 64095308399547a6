import { file_berth_device_v1_device } from '@berth/proto/berth/device/v1/device_pb.ts'
import { file_berth_image_v1_image } from '@berth/proto/berth/image/v1/image_pb.ts'
import { file_berth_instance_v1_instance } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { file_berth_network_v1_network } from '@berth/proto/berth/network/v1/network_pb.ts'
import { file_berth_volume_v1_volume } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import type { DescFile, DescService } from '@bufbuild/protobuf'

/** The five services by name, which is also the audience of their tokens. */
export const peerNames = ['image', 'volume', 'network', 'device', 'instance'] as const
export type PeerName = (typeof peerNames)[number]

const files: Record<PeerName, DescFile> = {
  image: file_berth_image_v1_image,
  volume: file_berth_volume_v1_volume,
  network: file_berth_network_v1_network,
  device: file_berth_device_v1_device,
  instance: file_berth_instance_v1_instance,
}

/** The proto services of the public API that one of the five owns. */
export function publicServices(name: PeerName): DescService[] {
  return files[name].services
}

import { type LaunchDescriptorSchema, LaunchSpecSchema } from '@berth/proto/berth/shim/v1/shim_pb.ts'
import { create, type MessageInitShape, toJsonString } from '@bufbuild/protobuf'
import type { Launch, LaunchDescriptor } from '../domain/shims.ts'

type WireDescriptor = MessageInitShape<typeof LaunchDescriptorSchema>

/** `launch.json` of a VM: proto3 JSON of `berth.shim.v1.LaunchSpec`. */
export function launchFile(
  { place, argv, descriptors, console, monitor, memoryLimitBytes }: Launch,
  { epoch, hostBootId }: { epoch: number; hostBootId: string },
): string {
  const spec = create(LaunchSpecSchema, {
    version: 1,
    instanceId: place.instanceId,
    epoch: BigInt(epoch),
    instanceDir: place.folder,
    runDir: place.runDir,
    uid: place.uid,
    memoryLimitBytes: BigInt(memoryLimitBytes),
    cgroup: place.cgroup,
    argv,
    // Nothing is inherited; the home says whose process it is, when nobody else can.
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C', `HOME=${place.folder}`],
    descriptors: descriptors.map(toWire),
    console,
    qmp: monitor,
    hostBootId,
  })
  return `${toJsonString(LaunchSpecSchema, spec, { prettySpaces: 2 })}\n`
}

function toWire(descriptor: LaunchDescriptor): WireDescriptor {
  const { name } = descriptor
  if (descriptor.kind === 'tap') return { name, source: { case: 'tap', value: descriptor.tap } }
  return { name, source: { case: 'listen', value: descriptor.path } }
}

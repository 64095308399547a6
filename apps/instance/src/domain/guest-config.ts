import { type GuestConfig, GuestConfigSchema } from '@berth/proto/berth/guest/v1/guest_pb.ts'
import type { InstanceSpec, Workload } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { create, toBinary } from '@bufbuild/protobuf'
import type { ImageConfig, PortAnswer } from './peers.ts'

/** Image paths without a PATH of their own; the one container images count on. */
const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type GuestInputs = { id: string; name: string; spec: InstanceSpec; image: ImageConfig; ports: PortAnswer[] }

/** What the agent finds on its config disk: the image's configuration with the instance's over it, and its network. */
export function guestConfig({ id, name, spec, image, ports }: GuestInputs): GuestConfig {
  return create(GuestConfigSchema, {
    instanceId: id,
    hostname: name,
    workload: workload(spec.workload, image),
    interfaces: ports.map(({ guest }, index) => ({
      macAddress: guest.macAddress,
      name: `eth${index}`,
      addresses: [guest.ipv4Cidr, guest.ipv6Cidr].filter(Boolean),
      // Only the first interface carries the default routes.
      gateways: index === 0 ? [guest.ipv4Gateway, guest.ipv6Gateway].filter(Boolean) : [],
      mtu: guest.mtu,
    })),
    dnsServers: [...new Set(ports.flatMap(({ guest }) => guest.dnsServers))],
    dnsSearch: [...new Set(ports.flatMap(({ guest }) => guest.dnsSearch))],
    mounts: spec.disks.flatMap(({ mountPath: path, readOnly }, index) => (path ? [{ serial: diskSerial(index), path, readOnly }] : [])),
    onExit: spec.onExit,
    rootSerial: 'root',
    scratchSerial: 'scratch',
  })
}

/** The bytes of the file `config.binpb`. */
export function guestConfigBytes(config: GuestConfig): Uint8Array {
  return toBinary(GuestConfigSchema, config)
}

/** Serial of the n-th disk of the spec. */
export function diskSerial(index: number): string {
  return `disk${index}`
}

function workload(own: Workload | undefined, image: ImageConfig): GuestConfig['workload'] {
  const env = new Map(image.env.map((entry) => [entry.split('=', 1)[0] ?? '', entry]))
  if (!env.has('PATH')) env.set('PATH', defaultPath)
  for (const [key, value] of Object.entries(own?.env ?? {})) env.set(key, `${key}=${value}`)
  return create(GuestConfigSchema, {
    workload: {
      command: command(own, image),
      env: [...env.values()],
      user: own?.user || image.user,
      workingDir: own?.workingDir || image.workingDir,
      stopSignal: image.stopSignal,
    },
  }).workload
}

/** As with containers: an own entrypoint drops the image's cmd. */
function command(own: Workload | undefined, image: ImageConfig): string[] {
  if (own && own.entrypoint.length > 0) return [...own.entrypoint, ...own.args]
  return [...image.entrypoint, ...(own && own.args.length > 0 ? own.args : image.cmd)]
}

import {
  DesiredPower,
  InstanceNicSchema,
  type InstanceSpec,
  InstanceSpecSchema,
  OnExit,
  RestartPolicy,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { BerthError, invalidArgument, type Violation } from '@berth/errors'
import { clone, create } from '@bufbuild/protobuf'

const mebibyte = 1024 * 1024
const defaults = { vcpus: 1, memoryBytes: 512 * mebibyte, scratchBytes: 8 * 1024 * mebibyte, network: 'default' }
const smallestScratch = 16 * mebibyte

/** What the host that will run it can do. */
export type HostLimits = { cpus: number; memoryBytes: number; hypervisors: string[] }

/**
 * The spec with every default written into it, so that a later change of a default changes no instance.
 *
 * @throws InvalidArgument with the field of each thing that is wrong; FailedPrecondition(`UNSUPPORTED_BY_HYPERVISOR`)
 */
export function completeSpec(wanted: InstanceSpec, limits: HostLimits): InstanceSpec {
  const spec = clone(InstanceSpecSchema, wanted)
  spec.vcpus ||= defaults.vcpus
  spec.memoryBytes ??= BigInt(defaults.memoryBytes)
  spec.scratchBytes ||= BigInt(defaults.scratchBytes)
  spec.desiredPower ||= DesiredPower.RUNNING
  spec.restartPolicy ||= RestartPolicy.ON_FAILURE
  spec.onExit ||= OnExit.KEEP
  if (spec.nics.length === 0) spec.nics = [create(InstanceNicSchema)]
  for (const nic of spec.nics) nic.network ||= defaults.network
  refuse(problems(spec, limits))
  spec.hypervisor ||= limits.hypervisors[0] ?? ''
  return spec
}

function problems(spec: InstanceSpec, { cpus, memoryBytes, hypervisors }: HostLimits): Violation[] {
  const found: Violation[] = []
  const check = (wrong: boolean, field: string, description: string): void => {
    if (wrong) found.push({ field, description })
  }
  check(spec.vcpus > cpus, 'spec.vcpus', `the host has ${cpus} CPUs`)
  check(Number(spec.memoryBytes) % mebibyte !== 0, 'spec.memory_bytes', 'must be a multiple of 1 MiB')
  check(Number(spec.memoryBytes) > memoryBytes, 'spec.memory_bytes', `the host has ${memoryBytes} bytes`)
  check(Number(spec.scratchBytes) % 4096 !== 0, 'spec.scratch_bytes', 'must be a multiple of 4096')
  check(Number(spec.scratchBytes) < smallestScratch, 'spec.scratch_bytes', `must be at least ${smallestScratch}`)
  check(spec.restartGeneration !== 0n, 'spec.restart_generation', 'is raised by RestartInstance')
  check(spec.hypervisor !== '' && !hypervisors.includes(spec.hypervisor), 'spec.hypervisor', `the host has ${hypervisors.join(', ')}`)
  const mounts = spec.disks.map(({ mountPath }) => mountPath).filter(Boolean)
  check(new Set(mounts).size < mounts.length, 'spec.disks', 'two disks are mounted at one path')
  check(new Set(spec.disks.map(({ volume }) => volume)).size < spec.disks.length, 'spec.disks', 'a volume is there twice')
  return found
}

function refuse(found: Violation[]): void {
  const [first] = found
  if (!first) return
  if (first.field === 'spec.hypervisor')
    throw new BerthError('FAILED_PRECONDITION', 'UNSUPPORTED_BY_HYPERVISOR', first.description, { violations: found })
  throw invalidArgument('BAD_SPEC', `${first.field}: ${first.description}`, { violations: found })
}

/** A name made from an image's: `docker.io/library/Alpine:3` gives `alpine-` and the end of the id. */
export function nameFromImage(image: string, id: string): string {
  const last =
    image
      .replace(/@.*$/, '')
      .replace(/:[^/]*$/, '')
      .split('/')
      .at(-1) ?? ''
  const word = last
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 48)
  return `${word.replace(/-+$/, '') || 'instance'}-${id.slice(-6)}`
}

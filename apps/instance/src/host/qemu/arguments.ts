import path from 'node:path'
import type { Machine, MachineDisk, MachineNic, VmPlace } from '../../domain/machine.ts'

export type Accelerator = 'kvm' | 'tcg'

/** Names of the descriptors the shim hands to QEMU; `{fd:NAME}` in an argument stands for the number. */
export const descriptor = { console: 'console', shimMonitor: 'qmp', monitor: 'vmm' } as const

/** Name of the descriptor of the n-th interface's tap. */
export function tapDescriptor(index: number): string {
  return `nic${index}`
}

/** Socket of the service's own monitor. */
export function monitorPath(place: VmPlace): string {
  return path.join(place.runDir, 'vmm.sock')
}

/**
 * QEMU's command line for a machine. The CPUs are held (`-S`) until the driver says so; a guest's reboot happens in place.
 * No default devices, no configuration files, explicit formats, and locks on writable files so that two VMMs never write one.
 */
export function qemuArguments(machine: Machine, accelerator: Accelerator, binary: string): string[] {
  const how = accelerated[accelerator]
  return [
    binary,
    ...['-name', machine.instanceId, '-nodefaults', '-no-user-config', '-display', 'none', '-S'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-machine', 'q35,vmport=off,usb=off', '-accel', how.accelerator],
    ...['-cpu', how.cpu, '-smp', `${machine.vcpus}`, '-m', `${machine.memoryBytes / mebibyte}M`],
    ...['-action', 'reboot=reset,shutdown=poweroff,panic=shutdown', '-rtc', 'base=utc,clock=host'],
    ...['-kernel', machine.kernelPath, '-initrd', machine.initramfsPath, '-append', machine.kernelCommandLine],
    ...monitor('shim', descriptor.shimMonitor),
    ...monitor('service', descriptor.monitor),
    ...['-chardev', listening('console', descriptor.console), '-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci,id=vser,max_ports=31', '-device', 'pvpanic-pci'],
    ...['-object', 'rng-builtin,id=rng', '-device', 'virtio-rng-pci,rng=rng'],
    ...machine.disks.flatMap(disk),
    ...machine.nics.flatMap(nic),
  ]
}

const mebibyte = 1024 * 1024

/**
 * All that this processor has, or that TCG emulates. There, without the two hints that copying by single bytes is fast: TCG carries it out byte by byte,
 * and a kernel that believes the hints clears and copies its pages so (a tenth of a boot, measured).
 */
const accelerated: Record<Accelerator, { accelerator: string; cpu: string }> = {
  kvm: { accelerator: 'kvm', cpu: 'host' },
  tcg: { accelerator: 'tcg,thread=multi,tb-size=256', cpu: 'max,-erms,-fsrm' },
}

/** All three are sockets that the shim has bound: whoever comes after it, or after the service, connects again. */
function listening(id: string, name: string): string {
  return `socket,id=${id},fd={fd:${name}},server=on,wait=off`
}

function monitor(id: string, name: string): string[] {
  return ['-chardev', listening(`monitor-${id}`, name), '-mon', `chardev=monitor-${id},mode=control`]
}

/** JSON instead of QEMU's comma lists: a path is data there, whatever it holds. */
function disk({ serial, path: filename, readOnly }: MachineDisk): string[] {
  const file = { driver: 'file', filename, locking: 'on', 'auto-read-only': false, ...(readOnly ? {} : { discard: 'unmap' }) }
  const node = {
    driver: 'raw',
    'node-name': serial,
    'read-only': readOnly,
    ...(readOnly ? {} : { discard: 'unmap' }),
    file: { ...file, 'read-only': readOnly },
  }
  return ['-blockdev', JSON.stringify(node), '-device', `virtio-blk-pci,id=disk-${serial},drive=${serial},serial=${serial}`]
}

function nic({ macAddress }: MachineNic, index: number): string[] {
  return [
    ...['-netdev', `tap,id=net${index},fd={fd:${tapDescriptor(index)}},vhost=off`],
    ...['-device', `virtio-net-pci,id=nic${index},netdev=net${index},mac=${macAddress},romfile=`],
  ]
}

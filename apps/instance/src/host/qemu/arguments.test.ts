import { expect, test } from 'vitest'
import type { Machine } from '../../domain/machine.ts'
import { qemuArguments } from './arguments.ts'

const machine: Machine = {
  instanceId: 'ins_01h00000000000000000000000',
  folder: '/data/instance/ins_01h00000000000000000000000',
  runDir: '/run/berth/0000000000',
  uid: 900_001,
  cgroup: 'berth-0000000000',
  vcpus: 2,
  memoryBytes: 256 * 1024 * 1024,
  kernelPath: '/data/image/kernels/k/vmlinux',
  initramfsPath: '/data/image/kernels/k/initramfs',
  kernelCommandLine: 'console=ttyS0 quiet panic=1',
  disks: [
    { serial: 'root', path: '/data/image/roots/a,b.erofs', readOnly: true },
    { serial: 'scratch', path: '/data/volume/default/vol_x', readOnly: false },
  ],
  nics: [{ tap: 'btaaaaaaaaaaa', macAddress: '52:54:00:00:00:01' }],
}

test('the command line of a machine is exactly this', () => {
  expect(lines(qemuArguments(machine, 'tcg', '/usr/bin/qemu-system-x86_64'))).toMatchInlineSnapshot(`
    "/usr/bin/qemu-system-x86_64
    -name ins_01h00000000000000000000000
    -nodefaults
    -no-user-config
    -display none
    -S
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    -machine q35,vmport=off,usb=off
    -accel tcg,thread=multi,tb-size=256
    -cpu max,-erms,-fsrm
    -smp 2
    -m 256M
    -action reboot=reset,shutdown=poweroff,panic=shutdown
    -rtc base=utc,clock=host
    -kernel /data/image/kernels/k/vmlinux
    -initrd /data/image/kernels/k/initramfs
    -append console=ttyS0 quiet panic=1
    -chardev socket,id=monitor-shim,fd={fd:qmp},server=on,wait=off
    -mon chardev=monitor-shim,mode=control
    -chardev socket,id=monitor-service,fd={fd:vmm},server=on,wait=off
    -mon chardev=monitor-service,mode=control
    -chardev socket,id=console,fd={fd:console},server=on,wait=off
    -serial chardev:console
    -device virtio-serial-pci,id=vser,max_ports=31
    -device pvpanic-pci
    -object rng-builtin,id=rng
    -device virtio-rng-pci,rng=rng
    -blockdev {"driver":"raw","node-name":"root","read-only":true,"file":{"driver":"file","filename":"/data/image/roots/a,b.erofs","locking":"on","auto-read-only":false,"read-only":true}}
    -device virtio-blk-pci,id=disk-root,drive=root,serial=root
    -blockdev {"driver":"raw","node-name":"scratch","read-only":false,"discard":"unmap","file":{"driver":"file","filename":"/data/volume/default/vol_x","locking":"on","auto-read-only":false,"discard":"unmap","read-only":false}}
    -device virtio-blk-pci,id=disk-scratch,drive=scratch,serial=scratch
    -netdev tap,id=net0,fd={fd:nic0},vhost=off
    -device virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:00:00:01,romfile=
    "
  `)
})

test('KVM gets the host CPU and no translator', () => {
  const text = lines(qemuArguments(machine, 'kvm', 'qemu'))
  expect(text).toContain('-accel kvm\n-cpu host\n')
  expect(text).not.toContain('tcg')
})

test('a path that looks like options stays a path', () => {
  const odd = { ...machine, disks: [{ serial: 'root', path: '/x,file.driver=nbd"', readOnly: true }] }
  const json = qemuArguments(odd, 'tcg', 'qemu').find((argument) => argument.startsWith('{'))
  expect(JSON.parse(json ?? '').file.filename).toBe('/x,file.driver=nbd"')
})

/** One option a line. */
function lines(argv: string[]): string {
  return `${argv.join(' ').replaceAll(/ -(?=[a-zA-Z])/g, '\n-')}\n`
}

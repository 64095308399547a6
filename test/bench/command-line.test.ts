import { expect, it } from 'vitest'
import type { Machine } from '../../apps/instance/src/domain/machine.ts'
import { qemuArguments } from '../../apps/instance/src/host/qemu/arguments.ts'
import { optionsOf, partsOf, rivalOptions } from './command-line.ts'

const machine: Machine = {
  instanceId: 'ins_1',
  uid: 900_000,
  folder: '/data/instance/ins_1',
  runDir: '/run/1',
  cgroup: '',
  vcpus: 1,
  memoryBytes: 512 * 2 ** 20,
  kernelPath: '/kernel',
  initramfsPath: '/initramfs',
  kernelCommandLine: 'console=ttyS0 quiet panic=1',
  disks: [
    { serial: 'root', path: '/root', readOnly: true },
    { serial: 'scratch', path: '/scratch', readOnly: false },
    { serial: 'config', path: '/config', readOnly: true },
  ],
  nics: [{ tap: 'bt1', macAddress: '02:00:00:00:00:02' }],
}

it("the rival's command line is Berth's, but for where sockets and the tap come from, the held CPUs and the session's port", () => {
  const argv = qemuArguments(machine, 'tcg', '/usr/bin/qemu-system-x86_64')
  const rival = rivalOptions({ ...partsOf(argv), tap: 'tap0', run: '/run/bench' }).map((option) => option.join(' '))
  const berth = optionsOf(argv).map((option) => option.join(' ').trim())
  const onlyIn = (one: string[], other: string[]) =>
    one.map((it) => it.trim()).filter((option) => !other.map((it) => it.trim()).includes(option))
  expect(onlyIn(berth, rival)).toEqual([
    '-name ins_1',
    '-S',
    '-chardev socket,id=monitor-shim,fd={fd:qmp},server=on,wait=off',
    '-chardev socket,id=monitor-service,fd={fd:vmm},server=on,wait=off',
    '-chardev socket,id=console,fd={fd:console},server=on,wait=off',
    '-netdev tap,id=net0,fd={fd:nic0},vhost=off',
  ])
  expect(onlyIn(rival, berth)).toEqual([
    '-name bench',
    '-chardev socket,id=monitor-shim,path=/run/bench/monitor-shim.sock,server=on,wait=off',
    '-chardev socket,id=monitor-service,path=/run/bench/monitor-service.sock,server=on,wait=off',
    '-chardev socket,id=console,path=/run/bench/console.sock,server=on,wait=off',
    '-netdev tap,id=net0,ifname=tap0,script=no,downscript=no,vhost=off',
    '-chardev socket,id=session,path=/run/bench/session.sock,server=off',
    '-device virtserialport,chardev=session,name=berth.session.1,bus=vser.0',
  ])
})

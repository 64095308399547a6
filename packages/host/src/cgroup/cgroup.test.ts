import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { cgroupPids, childCgroups, removeCgroup } from './groups.ts'
import { cgroupMounts } from './mounts.ts'

it('tells v1 controllers from the unified hierarchy', () => {
  const mountinfo = `30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
`
  expect(cgroupMounts(mountinfo)).toEqual({
    unified: '/sys/fs/cgroup/unified',
    controllers: { memory: '/sys/fs/cgroup/memory', cpu: '/sys/fs/cgroup/cpu,cpuacct', cpuacct: '/sys/fs/cgroup/cpu,cpuacct' },
  })
  expect(cgroupMounts('')).toEqual({ unified: undefined, controllers: {} })
})

it('reads and removes groups, also such as are gone', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'berth-cgroup-'))
  mkdirSync(path.join(folder, 'vm1'))
  writeFileSync(path.join(folder, 'cgroup.procs'), '12\n345\n')
  expect(await childCgroups(folder)).toEqual(['vm1'])
  expect(await cgroupPids(folder)).toEqual([12, 345])
  expect(await removeCgroup(folder)).toBe(false)
  expect(await removeCgroup(path.join(folder, 'vm1'))).toBe(true)
  expect(await removeCgroup(path.join(folder, 'vm1'))).toBe(true)
  expect(await childCgroups(path.join(folder, 'vm1'))).toEqual([])
  expect(await cgroupPids(path.join(folder, 'vm1'))).toEqual([])
  rmSync(folder, { recursive: true })
})

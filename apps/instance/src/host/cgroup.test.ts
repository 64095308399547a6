import { expect, test } from 'vitest'
import { hierarchies } from './cgroup.ts'

test('groups are looked for in every hierarchy in which a shim makes them', () => {
  const mounts = `tmpfs /c tmpfs rw 0 0
cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /c/memory cgroup rw,memory 0 0
cgroup /c/freezer cgroup rw,freezer 0 0
cgroup /c/systemd cgroup rw,xattr,name=systemd 0 0
cgroup2 /c/unified cgroup2 rw 0 0
`
  expect(hierarchies(mounts)).toEqual(['/c/cpu,cpuacct', '/c/memory', '/c/systemd', '/c/unified'])
})

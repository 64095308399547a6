import { expect, it } from 'vitest'
import { inOrder } from './orphans.ts'
import type { FoundVm } from './ports.ts'

const one = (kind: FoundVm['kind'], name: string, short: string): FoundVm => ({ kind, name, short })
const things = [
  one('folder', 'folder a', 'a'),
  one('socket', 'run a', 'a'),
  one('process', 'berth-shim 7', 'a'),
  one('process', 'qemu 8', 'a'),
  one('cgroup', 'group a', 'a'),
  one('folder', 'folder b', 'b'),
]
const names = (includeRunning: boolean, keep: boolean) =>
  inOrder(things, { includeRunning })
    .filter((it) => (it.keep !== undefined) === keep)
    .map(({ found }) => found.name)

it('ends VMM and shim before it takes what they use', () => {
  expect(names(true, false)).toEqual(['qemu 8', 'berth-shim 7', 'group a', 'run a', 'folder a', 'folder b'])
})

it('keeps a VM that runs with all that is its own, and nothing of others', () => {
  expect(names(false, false)).toEqual(['folder b'])
  expect(names(false, true)).toEqual(['qemu 8', 'berth-shim 7', 'group a', 'run a', 'folder a'])
})

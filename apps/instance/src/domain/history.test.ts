import { InstanceState, type InstanceStatus } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { expect, test } from 'vitest'
import { conditionOf } from './conditions.ts'
import { foldHistory } from './history.ts'
import type { VmEvent } from './machine.ts'
import { newStatus, tellRunning } from './status.ts'

type Kind = VmEvent['kind']
const details: Partial<Record<Kind, object>> = {
  started: { pid: 7, startTicks: 99, hostBootId: 'boot' },
  held: { signal: 19 },
  exited: { known: true, code: 0, signal: 0, outOfMemory: false, startFailed: false, message: '' },
}
const events = (...kinds: (Kind | [Kind, object])[]): VmEvent[] =>
  kinds.map((one, index) => {
    const [kind, more] = Array.isArray(one) ? one : [one, {}]
    return { seq: index + 1, timeMs: 1000 + index, kind, ...details[kind], ...more } as VmEvent
  })

function folded(list: VmEvent[], { stopAsked = false, hostBootId = 'boot' } = {}): InstanceStatus {
  const status = newStatus()
  foldHistory(status, list, { after: 0, stopAsked, hostBootId })
  return status
}

test('a start is known by its process, and a reboot in place is counted', () => {
  const status = folded(events('started', 'reset', 'reset'))
  expect(status).toMatchObject({ state: InstanceState.CREATED, vmmPid: 7, vmmStartTicks: 99n, bootCount: 3 })
})

test.each<[string, VmEvent[], object, string]>([
  ['a guest that powers off', events('started', 'powered-off', 'exited'), {}, 'GUEST_POWEROFF'],
  ['a kernel that panics', events('started', 'panicked', 'exited'), {}, 'GUEST_PANIC'],
  ['a VMM that is killed', events('started', ['exited', { signal: 9 }]), {}, 'VMM_KILLED'],
  ['a VMM that was out of memory', events('started', ['exited', { signal: 9, outOfMemory: true }]), {}, 'OUT_OF_MEMORY'],
  ['a VMM that gave up', events('started', ['exited', { code: 1 }]), {}, 'VMM_EXITED'],
  ['a VMM whose shim was gone', events('started', ['exited', { known: false }]), {}, 'UNKNOWN'],
  ['a stop that was asked for', events('started', 'powered-off', 'exited'), { stopAsked: true }, 'STOPPED_BY_USER'],
  ['a host that booted again', events('started', ['exited', { known: false }]), { hostBootId: 'other' }, 'HOST_REBOOT'],
])('%s is told as that', (_, list, circumstances, reason) => {
  const status = folded(list, circumstances)
  expect(status.state).toBe(InstanceState.STOPPED)
  expect(status.lastExit?.reason).toBe(reason)
  expect(status.vmmPid).toBe(0)
  expect(conditionOf(status, 'Crashed') !== undefined).toBe(!['GUEST_POWEROFF', 'STOPPED_BY_USER'].includes(reason))
})

test('the reason of an earlier run is not taken for that of a later one', () => {
  const status = folded(events('started', 'panicked', 'exited', 'started', ['exited', { signal: 9 }]))
  expect(status.lastExit?.reason).toBe('VMM_KILLED')
})

test('a panic that was told before explains the end that comes after', () => {
  const status = newStatus()
  const all = events('started', 'panicked', 'exited')
  foldHistory(status, all.slice(0, 2), { after: 0, stopAsked: false, hostBootId: 'boot' })
  foldHistory(status, all, { after: 2, stopAsked: false, hostBootId: 'boot' })
  expect(status).toMatchObject({ bootCount: 1, lastExit: { reason: 'GUEST_PANIC' } })
})

test('an exit code is only told when it is known', () => {
  expect(folded(events('started', ['exited', { code: 3 }])).lastExit?.exitCode).toBe(3)
  expect(folded(events('started', ['exited', { known: false }])).lastExit?.exitCode).toBeUndefined()
  expect(folded(events('started', ['exited', { signal: 11 }])).lastExit?.exitCode).toBeUndefined()
})

test('a VMM that is held and goes on is told while it runs, not before its first boot', () => {
  const status = folded(events('started', 'resumed'))
  expect(status.state).toBe(InstanceState.CREATED)
  tellRunning(status, 1)
  foldHistory(status, events('held'), { after: 0, stopAsked: false, hostBootId: 'boot' })
  expect(conditionOf(status, 'Running')?.reason).toBe('VMM_HELD')
  foldHistory(status, events('continued'), { after: 0, stopAsked: false, hostBootId: 'boot' })
  expect(status.state).toBe(InstanceState.RUNNING)
})

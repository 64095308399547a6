import { InstanceExitSchema, InstanceState, type InstanceStatus } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { dropCondition, setCondition } from './conditions.ts'
import type { VmEvent } from './machine.ts'

/** Reasons of `InstanceExit`. */
export type ExitReason =
  | 'GUEST_POWEROFF'
  | 'GUEST_PANIC'
  | 'VMM_KILLED'
  | 'VMM_EXITED'
  | 'OUT_OF_MEMORY'
  | 'STOPPED_BY_USER'
  | 'HOST_REBOOT'
  | 'UNKNOWN'

/** What is known besides the journal. */
export type Circumstances = {
  hostBootId: string
  /** Number of the last entry that the status knows. */
  after: number
  /** Whether we had begun to end this VM. */
  stopAsked: boolean
}

type Exited = Extract<VmEvent, { kind: 'exited' }>

/**
 * Folds what a journal tells into the status, in order. Entries are folded once: the caller keeps the number of the last one, `after`. Earlier ones
 * explain the later: a panic is told before the end that it caused.
 */
export function foldHistory(status: InstanceStatus, events: VmEvent[], circumstances: Circumstances): void {
  let before: VmEvent[] = []
  for (const event of events) {
    if (event.kind === 'started') before = []
    before.push(event)
    if (event.seq > circumstances.after) fold(status, event, before, circumstances)
  }
}

function fold(status: InstanceStatus, event: VmEvent, run: VmEvent[], circumstances: Circumstances): void {
  switch (event.kind) {
    case 'started':
      status.vmmPid = event.pid
      status.vmmStartTicks = BigInt(event.startTicks)
      status.startTime = timestampFromMs(event.timeMs)
      status.bootCount += 1
      status.state = InstanceState.CREATED
      status.nextRestartTime = undefined
      status.workloadExit = undefined
      dropCondition(status, 'WorkloadExited')
      dropCondition(status, 'Crashed')
      return
    case 'reset':
      status.bootCount += 1
      status.bootId = ''
      setCondition(status, { type: 'Ready', holds: false, reason: 'GUEST_REBOOTED' }, event.timeMs)
      return
    case 'held':
      return held(status, 'VMM_HELD', `signal ${event.signal} holds the VMM`, event.timeMs)
    case 'paused':
      return held(status, 'PAUSED', 'the VMM holds the guest', event.timeMs)
    case 'continued':
    case 'resumed':
      return goesOn(status, event.timeMs)
    case 'powered-off':
      status.state = InstanceState.SHUTDOWN
      return
    case 'exited':
      return ended(status, event, exitReason(event, run, circumstances))
    case 'panicked':
    case 'adopted':
      return
  }
}

/** A VM that has not run yet, or runs no more, is not held. */
function held(status: InstanceStatus, reason: string, message: string, timeMs: number): void {
  if (status.state !== InstanceState.RUNNING) return
  status.state = InstanceState.PAUSED
  setCondition(status, { type: 'Running', holds: false, reason, message }, timeMs)
}

function goesOn(status: InstanceStatus, timeMs: number): void {
  if (status.state !== InstanceState.PAUSED) return
  status.state = InstanceState.RUNNING
  setCondition(status, { type: 'Running', holds: true, reason: 'RUNNING' }, timeMs)
}

function ended(status: InstanceStatus, event: Exited, reason: ExitReason): void {
  const { known, code, signal, timeMs, message } = event
  status.state = InstanceState.STOPPED
  status.vmmPid = 0
  status.vmmStartTicks = 0n
  status.bootId = ''
  status.lastExit = create(InstanceExitSchema, {
    reason,
    exitCode: known && signal === 0 ? code : undefined,
    signal,
    time: timestampFromMs(timeMs),
    message: message.slice(-4096),
  })
  setCondition(status, { type: 'Running', holds: false, reason, message }, timeMs)
  setCondition(status, { type: 'Ready', holds: false, reason: 'NOT_RUNNING' }, timeMs)
  if (isFailure(reason)) setCondition(status, { type: 'Crashed', holds: true, reason, message }, timeMs)
}

function exitReason(exit: Exited, run: VmEvent[], { hostBootId, stopAsked }: Circumstances): ExitReason {
  const has = (kind: VmEvent['kind']): boolean => run.some((event) => event.kind === kind)
  if (stopAsked) return 'STOPPED_BY_USER'
  const started = run.find((event) => event.kind === 'started')
  if (started?.kind === 'started' && started.hostBootId !== hostBootId) return 'HOST_REBOOT'
  if (exit.outOfMemory) return 'OUT_OF_MEMORY'
  if (has('panicked')) return 'GUEST_PANIC'
  if (has('powered-off')) return 'GUEST_POWEROFF'
  if (!exit.known) return 'UNKNOWN'
  return exit.signal > 0 ? 'VMM_KILLED' : 'VMM_EXITED'
}

/** Whether a VM that ended so has failed; the guest's own power-off and ours have not. */
export function isFailure(reason: string): boolean {
  return reason !== 'GUEST_POWEROFF' && reason !== 'STOPPED_BY_USER'
}

import {
  InstanceExitSchema,
  InstanceNicStatusSchema,
  InstanceState,
  type InstanceStatus,
  InstanceStatusSchema,
  WorkloadExitSchema,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { clone, create, equals } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { conditionOf, dropCondition, holds, setCondition } from './conditions.ts'
import type { KernelAnswer, PortAnswer, ReadyImage } from './peers.ts'
import type { AgentInfo, HypervisorFacts, Loss, WorkloadReport } from './ports.ts'

export type { InstanceStatus }

/** The status of an instance of which nothing was done yet. */
export function newStatus(): InstanceStatus {
  return create(InstanceStatusSchema, { state: InstanceState.STOPPED })
}

export function copyStatus(status: InstanceStatus): InstanceStatus {
  return clone(InstanceStatusSchema, status)
}

export function sameStatus(a: InstanceStatus, b: InstanceStatus): boolean {
  return equals(InstanceStatusSchema, a, b)
}

/** The guest's CPUs run. */
export function tellRunning(status: InstanceStatus, nowMs: number): void {
  status.state = InstanceState.RUNNING
  setCondition(status, { type: 'Running', holds: true, reason: 'RUNNING' }, nowMs)
}

export function isRunning(status: InstanceStatus): boolean {
  return status.state === InstanceState.RUNNING || status.state === InstanceState.PAUSED
}

export function isOff(status: InstanceStatus): boolean {
  return status.state === InstanceState.STOPPED
}

/** Until when the agent of a VM that has never answered since its start, or its guest's reboot, may be silent, in Unix milliseconds; 0 when it has answered. */
export function agentDeadline(status: InstanceStatus, waitMs: number): number {
  const answered = status.bootId !== '' || conditionOf(status, 'Ready')?.reason === 'AGENT_TIMEOUT'
  const ready = conditionOf(status, 'Ready')
  const since = ready?.reason === 'GUEST_REBOOTED' ? ready.lastTransitionTime : status.startTime
  return answered || !since ? 0 : timestampMs(since) + waitMs
}

/** The agent does not answer: it never has since the start, or its session is gone. */
export function tellAgentMissing(status: InstanceStatus, nowMs: number): void {
  const reason = holds(status, 'Ready') || conditionOf(status, 'Ready')?.reason === 'AGENT_LOST' ? 'AGENT_LOST' : 'AGENT_TIMEOUT'
  setCondition(status, { type: 'Ready', holds: false, reason }, nowMs)
}

/** The agent answers. */
export function tellAgent(status: InstanceStatus, info: AgentInfo, nowMs: number): void {
  status.bootId = info.bootId
  if (info.kernelRelease) status.kernelVersion = info.kernelRelease
  setCondition(status, { type: 'Ready', holds: true, reason: 'AGENT_READY', message: info.warnings.join('\n') }, nowMs)
}

/** What the workload did. */
export function tellWorkload(status: InstanceStatus, report: WorkloadReport, nowMs: number): void {
  if (report.state === 'none' || report.state === 'running') {
    status.workloadExit = undefined
    dropCondition(status, 'WorkloadExited')
    return
  }
  const failed = report.state === 'start-failed'
  const reason = failed ? 'START_FAILED' : 'EXITED'
  const before = status.workloadExit
  if (before?.exitCode === report.exitCode && before.signal === report.signal && before.startError === report.startError) return
  status.workloadExit = create(WorkloadExitSchema, {
    exitCode: failed ? undefined : report.exitCode,
    signal: report.signal,
    startError: report.startError,
    time: timestampFromMs(nowMs),
  })
  const message = failed ? report.startError : `exit code ${report.exitCode}`
  setCondition(status, { type: 'WorkloadExited', holds: true, reason, message }, nowMs)
}

/** What the living VM has lost; nothing is said when that is nothing. */
export function tellLosses(status: InstanceStatus, losses: readonly Loss[], nowMs: number): void {
  const [first] = losses
  if (!first) return dropCondition(status, 'Degraded')
  const message = losses.map((loss) => loss.message).join('; ')
  setCondition(status, { type: 'Degraded', holds: true, reason: first.reason, message }, nowMs)
}

/** What the VM is made of. */
export function noteParts(
  status: InstanceStatus,
  parts: { image: ReadyImage; kernel: KernelAnswer; ports: PortAnswer[]; facts: HypervisorFacts },
): void {
  const { image, kernel, ports, facts } = parts
  status.imageId = image.id
  status.imageDigest = image.digest
  status.kernelVersion = kernel.version
  status.hypervisor = `${facts.name} ${facts.version}`
  status.accelerator = facts.accelerator
  status.nics = ports.map(({ portId, networkId, guest }) =>
    create(InstanceNicStatusSchema, {
      portId,
      networkId,
      macAddress: guest.macAddress,
      ipv4Address: address(guest.ipv4Cidr),
      ipv6Address: address(guest.ipv6Cidr),
    }),
  )
}

function address(cidr: string): string {
  return cidr.split('/', 1)[0] ?? ''
}

/** When the policy starts it again; undefined: it does not. */
export function planRestart(status: InstanceStatus, untilMs: number | undefined): void {
  status.nextRestartTime = untilMs === undefined ? undefined : timestampFromMs(untilMs)
}

/** Whether the last that was tried was a start that failed. */
export function startHasFailed(status: InstanceStatus): boolean {
  return conditionOf(status, 'Running')?.reason === 'START_FAILED'
}

/**
 * A start that never made a VMM: told like an end, so that the restart policy judges it like one.
 *
 * @param failed.restarts restarts by policy that count, this one included
 */
export function tellStartFailed(
  status: InstanceStatus,
  failed: { reason: string; message: string; restarts: number },
  nowMs: number,
): void {
  const { reason, message } = failed
  status.restartCount = failed.restarts
  status.nextRestartTime = undefined
  status.lastExit = create(InstanceExitSchema, { reason: 'UNKNOWN', message: `${reason}: ${message}`, time: timestampFromMs(nowMs) })
  setCondition(status, { type: 'Running', holds: false, reason: 'START_FAILED', message }, nowMs)
  setCondition(status, { type: 'Ready', holds: false, reason: 'NOT_RUNNING' }, nowMs)
}

import type { Machine, VmEvent, VmmProcess, VmPlace } from './machine.ts'

/** How a VM is looked for. */
export type Look = {
  /** A shim that does not answer is ended, and another takes its place: for whoever wants the VM's end. Default false: it is waited for. */
  insist?: boolean
}

/** What a hypervisor is and can do on this host. */
export type HypervisorFacts = {
  name: string
  version: string
  /** `kvm` or `tcg`. */
  accelerator: string
  /** Why that one, for people. */
  acceleratorReason: string
  /** Verbs it can do; another one is FAILED_PRECONDITION (`UNSUPPORTED_BY_HYPERVISOR`). */
  capabilities: string[]
  maxVcpus: number
}

/** What the VMM knows: `created` has not booted, `shutdown` is a guest that is off under a VMM that is there. */
export type VmState = 'created' | 'running' | 'paused' | 'shutdown'

/**
 * Starts VMs and finds them again. A VM belongs to its shim: everything here may die and come back without the guest noticing.
 * Every verb is idempotent by the VM's place: a second start of a living VM answers with the first.
 */
export interface Hypervisor {
  readonly name: string
  /** What is known of this host after at most so many milliseconds: what VMs get may still be being tried. */
  facts(patienceMs: number): Promise<HypervisorFacts>
  /** Makes the VMM; the guest's CPUs are held until `boot`. @throws FailedPrecondition(`VMM_FAILED`) with what it said */
  start(machine: Machine, signal: AbortSignal): Promise<Vm>
  /** The living VM of this place, whoever started it; undefined when there is none. */
  attach(place: VmPlace, signal: AbortSignal, how?: Look): Promise<Vm | undefined>
  /** What happened in this place so far, from entry `from` (1 is the beginning), whether or not the VM lives. */
  events(place: VmPlace, from: number): Promise<VmEvent[]>
  /** Console bytes; ends at the end, or with `follow` when the VM has ended. */
  console(place: VmPlace, range: ConsoleRange, signal: AbortSignal): AsyncIterable<ConsolePiece>
  /** Removes what this place holds besides the instance's folder: sockets, cgroup. The VM must have ended. */
  clear(place: VmPlace, signal: AbortSignal): Promise<void>
  /** Places on the host that look like VMs of this hypervisor, for the audit. */
  found(): Promise<FoundVm[]>
  /** Ends or removes exactly what `found` told, for the clean-up; nothing when it is gone. @throws FailedPrecondition(`IN_USE`), Unavailable(`PROCESS_STUCK`) */
  discard(one: FoundVm, signal: AbortSignal): Promise<void>
}

/** A living VM. Connections open at first use; `release` lets go of them and of nothing else. */
export interface Vm {
  readonly place: VmPlace
  readonly process: VmmProcess
  state(signal: AbortSignal): Promise<VmState>
  /** Lets the guest's CPUs run; nothing when they do. */
  boot(signal: AbortSignal): Promise<void>
  /** Presses the power button; the guest may ignore it. */
  powerButton(signal: AbortSignal): Promise<void>
  /** Ends the VMM and waits for its end. */
  kill(signal: AbortSignal): Promise<void>
  /** Entries after `after` as they come; ends when the VM has. */
  watch(after: number, signal: AbortSignal): AsyncIterable<VmEvent>
  /** What was taken away under it by hand; found without a question to the VMM. */
  losses(): Promise<Loss[]>
  /** A session with the guest's agent. @throws Unavailable(`AGENT_NOT_READY`) when none answers before the signal */
  agent(signal: AbortSignal): Promise<Agent>
  release(): void
}

/** Something a VM needs that is no longer there: its folder, a file it has open, a tap, the sockets of its VMM. */
export type Loss = { reason: 'FOLDER_LOST' | 'FILE_LOST' | 'TAP_LOST' | 'SOCKETS_LOST'; message: string }

/** Where to begin reading a console. */
export type ConsoleRange = {
  /** Offset since the instance was made; less than what is kept begins with the oldest kept. */
  offset: number
  /** Instead of `offset`: so many bytes before the end; 0 is not asked for. */
  tailBytes: number
  follow: boolean
}
export type ConsolePiece = { data: Uint8Array; nextOffset: number }

/** Something of a VM on the host; `short` is the short name of its instance, `process` tells a process from a later one with its pid. */
export type FoundVm = {
  kind: 'process' | 'socket' | 'folder' | 'cgroup'
  name: string
  short: string
  process?: VmmProcess | undefined
}

/** A session with a guest's agent. What it says is data from a stranger: bounded, time-limited, never trusted. */
export interface Agent {
  info(signal: AbortSignal): Promise<AgentInfo>
  /** The workload now and after each change; ends with the session. */
  watchWorkload(signal: AbortSignal): AsyncIterable<WorkloadReport>
  exec(requests: AsyncIterable<ExecInput>, signal: AbortSignal): AsyncIterable<ExecOutput>
  /** Asks the guest to power off; answers before it begins. */
  shutdown(graceMs: number, signal: AbortSignal): Promise<void>
  /** Settles when the session is gone. */
  readonly closed: Promise<void>
  close(): void
}

export type AgentInfo = {
  version: string
  bootId: string
  kernelRelease: string
  instanceId: string
  warnings: string[]
  workload: WorkloadReport
}

export type WorkloadReport = {
  state: 'none' | 'running' | 'exited' | 'start-failed'
  exitCode: number
  signal: number
  startError: string
  starts: number
}

export type TerminalSize = { rows: number; columns: number }
export type ExecStart = {
  command: string[]
  env: string[]
  user: string
  workingDir: string
  terminal: TerminalSize | undefined
  stdin: boolean
}
export type ExecInput =
  | { kind: 'start'; start: ExecStart }
  | { kind: 'stdin'; data: Uint8Array }
  | { kind: 'stdin-end' }
  | { kind: 'resize'; size: TerminalSize }
  | { kind: 'signal'; signal: number }
export type ExecOutput =
  | { kind: 'started'; pid: number }
  | { kind: 'stdout' | 'stderr'; data: Uint8Array }
  | { kind: 'exit'; code: number; signal: number }

/** The instance's own folder on the host. */
export interface InstanceFiles {
  /** Makes the folder and, in it, the config disk with this configuration; answers the disk's path. */
  writeConfig(place: VmPlace, config: Uint8Array): Promise<string>
  /** Removes the folder with all that is in it. The VM must have ended. */
  remove(place: VmPlace): Promise<void>
  /** Folders of instances on this host, for the audit. */
  found(): Promise<FoundVm[]>
  /** Removes exactly the folder that `found` told, for the clean-up; nothing when it is gone. */
  discard(one: FoundVm): Promise<void>
}

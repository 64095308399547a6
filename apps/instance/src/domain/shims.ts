import type { VmEvent, VmmProcess, VmPlace } from './machine.ts'
import type { ConsolePiece, ConsoleRange, Look } from './ports.ts'

/** Where a descriptor of the VMM comes from. */
export type LaunchDescriptor = { name: string } & ({ kind: 'tap'; tap: string } | { kind: 'listen'; path: string })

/** What a shim starts. */
export type Launch = {
  place: VmPlace
  /** Program and arguments; `{fd:NAME}` stands for a descriptor's number. */
  argv: string[]
  descriptors: LaunchDescriptor[]
  /** Descriptor whose other end the shim keeps as the serial console. */
  console: string
  /** Descriptor whose other end the shim keeps as its own monitor. */
  monitor: string
  /** Limit of the VM's cgroup in bytes. */
  memoryLimitBytes: number
}

/** Shims of this host: one per VM, the VMM's parent, outliving every service. They refuse a service that another has succeeded. */
export interface Shims {
  /** Starts shim and VMM. @throws FailedPrecondition(`VMM_FAILED`) with the last words of what did not start */
  launch(launch: Launch, signal: AbortSignal): Promise<void>
  /**
   * The living VMM of a place, its shim started anew when it was killed; undefined when there is none.
   *
   * @throws Aborted(`STALE_EPOCH`), Unavailable(`SHIM_UNREACHABLE`) when the shim is there and does not answer
   */
  find(place: VmPlace, signal: AbortSignal, how?: Look): Promise<VmmProcess | undefined>
  /**
   * Signals the VMM, by way of another shim where the one that is there does not answer; nothing when it has ended.
   *
   * @throws Aborted(`STALE_EPOCH`) when a successor has spoken to the shim
   */
  kill(place: VmPlace, signalNumber: number, signal: AbortSignal): Promise<void>
  /** Waits until the shim of an ended VM has gone, its journal written. Nothing when there is none. */
  gone(place: VmPlace, signal: AbortSignal): Promise<void>
  /** Journal entries after `after` as they come; ends with the shim. */
  watch(place: VmPlace, after: number, signal: AbortSignal): AsyncIterable<VmEvent>
  /** Journal entries from `from` on, read from the folder: also when nobody lives. */
  journal(place: VmPlace, from: number): Promise<VmEvent[]>
  console(place: VmPlace, range: ConsoleRange, signal: AbortSignal): AsyncIterable<ConsolePiece>
}

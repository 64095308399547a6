import type { DnsGuest } from './dnsmasq.ts'
import type { BridgeConfig, Drift, Inspection } from './host-network.ts'

/** Whether DNS answers on a network, and why not. */
export type DnsState = { running: boolean; reason: string }

/** DNS and DHCP for guests, one server a network; it outlives the service. */
export interface DnsServer {
  /** Adopts the running one, or starts one; `restart` ends the running one first (its sockets hang on the bridge that was). */
  ensure(bridge: BridgeConfig, options: { signal?: AbortSignal; restart?: boolean }): Promise<DnsState>
  isRunning(bridge: BridgeConfig): Promise<boolean>
  /** The process that serves it; undefined when there is none. */
  identity(bridge: BridgeConfig): Promise<{ pid: number; startTicks: number } | undefined>
  setGuest(bridge: BridgeConfig, guest: DnsGuest): Promise<void>
  dropGuest(bridge: string, tap: string): Promise<void>
  /** Ends it and removes its files. */
  stop(bridge: string): Promise<void>
  /** Ends a process that `inspect` found serving no network. */
  discard(drift: Drift): Promise<void>
  /** Compares, changes nothing. */
  inspect(bridges: BridgeConfig[]): Promise<Inspection>
}

import type { HostNames } from './names.ts'

/** The gateway every guest has for IPv6: link-local, the same on every bridge. */
export const ipv6Gateway = 'fe80::1'

/** A network on this host, as it should be. */
export type BridgeConfig = {
  /** Id of the network. */
  networkId: string
  bridge: string
  mac: string
  /** CIDR; its first address is the gateway's. */
  ipv4Subnet: string
  ipv4Gateway: string
  /** CIDR of length 64. */
  ipv6Subnet: string
}

/** A guest's port, as it should be. */
export type PortConfig = {
  /** Id of the port. */
  portId: string
  bridge: string
  tap: string
  mac: string
  ipv4: string
  ipv6: string
  /** User that may open the tap. */
  uid: number
  /** Whether the tap should be up. */
  up: boolean
}

/** Everything of this host's, as it should be. */
export type HostConfig = { names: HostNames; bridges: BridgeConfig[]; ports: PortConfig[] }

/** An accept rule of ours in a chain of somebody else's, because an accept in our table does not overrule a drop in theirs. */
export type AcceptRule = {
  family: 'ip' | 'ip6' | 'inet'
  table: string
  chain: string
  /** Bridge it is for; the rule's comment is `berth <bridge>`. */
  bridge: string
  /** What it matches and does, in nft's words. */
  text: string
}

/** Which side lacks the other. */
export type DriftSide = 'host-only' | 'database-only' | 'mismatch'

/** How something is taken from the host that no row names: lines for a program, which may find nothing, or the end of exactly one process. */
export type Undo = { by: 'ip' | 'nft'; lines: string[] } | { by: 'signal'; process: { pid: number; startTicks: number } }

/** One way in which the host is not as it should be. */
export type Drift = {
  side: DriftSide
  kind: 'bridge' | 'tap' | 'rule' | 'address' | 'process' | 'folder'
  /** Name of the object on the host. */
  name: string
  /** Port or network it belongs to; empty when there is none. */
  resourceId: string
  message: string
  /** Of what is on the host alone and recognisably ours: how it goes. */
  undo?: Undo | undefined
}

export type Inspection = {
  drift: Drift[]
  /** How many objects were compared, by kind. */
  compared: Record<string, number>
}

/**
 * The host's networking: desired state in, measured state out. Every method can be repeated from any point; a name that the config does not hold
 * is never touched.
 */
export interface HostNetwork {
  /**
   * Makes everything as the config says, acting only where it is not, and gives our accept rules in others' chains. What the config does not name is
   * left alone. Nothing else may change the host's ports meanwhile.
   */
  apply(config: HostConfig, signal: AbortSignal): Promise<AcceptRule[]>
  /** Makes one network of the config real and gives our accept rules in others' chains, of all networks. */
  ensureBridge(config: HostConfig, bridge: BridgeConfig, signal: AbortSignal): Promise<AcceptRule[]>
  /** Whether a bridge or tap of this name is there, which costs no command. */
  hasLink(name: string): Promise<boolean>
  /** Makes the tap, down; one that is up and should be stays so. */
  ensureTap(names: HostNames, port: PortConfig, signal: AbortSignal): Promise<void>
  /** Puts the port's rules in place, with the whole of the tables' chains, in one transaction; a new tap has none before. */
  ensureRules(names: HostNames, bridge: BridgeConfig, port: PortConfig, signal: AbortSignal): Promise<void>
  /** Takes the tap up or down. Up only after `ensureRules`. */
  setUp(port: PortConfig, signal: AbortSignal): Promise<void>
  /** Takes down and removes the tap and what points to it; settled only when it is gone. */
  removeTap(port: PortConfig, signal: AbortSignal): Promise<void>
  /** Takes the port's elements out of the rules. Only after `removeTap`. */
  removeRules(names: HostNames, port: PortConfig, signal: AbortSignal): Promise<void>
  /** Takes from the host what `inspect` found there alone. */
  discard(drift: Drift, signal: AbortSignal): Promise<void>
  /** Taps that a process has open, with its pid. */
  tapsInUse(): Promise<Map<string, number>>
  /** Compares, changes nothing. */
  inspect(config: HostConfig, signal: AbortSignal): Promise<Inspection>
  /** Resolves when somebody has deleted a table of rules, ours or another. @throws when that cannot be watched, and the signal's reason */
  tableDeleted(signal: AbortSignal): Promise<void>
  /** Destinations of all routes of the host, both families, CIDR. */
  routes(signal: AbortSignal): Promise<string[]>
  /** The measured state of what is ours, as text. */
  describe(config: HostConfig, signal: AbortSignal): Promise<string>
  /** Removes everything the config names: taps, bridges, tables, accept rules; puts kernel settings back. */
  cleanUp(config: HostConfig, signal: AbortSignal): Promise<void>
}

import type { Admission, Operations } from '@berth/controller'
import type { Peers } from '../domain/peers.ts'
import type { Folders } from '../domain/place.ts'
import type { Hypervisor, InstanceFiles } from '../domain/ports.ts'
import type { InstanceStore } from '../store/tables.ts'
import type { LivingVms } from './living.ts'
import type { Strangers } from './strangers.ts'

/** What the loops work with. */
export type InstanceContext = {
  store: InstanceStore
  operations: Operations
  hypervisor: Hypervisor
  peers: Peers
  living: LivingVms
  strangers: Strangers
  files: InstanceFiles
  folders: Folders
  admission: Admission
  /** Ids of instances that are off and of which this process has seen that they hold nothing that only a living VM may hold. */
  holdNothing: Set<string>
  /** Boot id of this host now. */
  hostBootId: string
  /** How long an agent may take to answer after the start. */
  agentWaitMs: number
}

import type { Operations } from '@berth/controller'
import type { Peers } from '../domain/peers.ts'
import type { Folders } from '../domain/place.ts'
import type { Hypervisor, InstanceFiles } from '../domain/ports.ts'
import type { InstanceStore } from '../store/tables.ts'
import type { LivingVms } from './living.ts'

/** Lets so many creates boot at once; the others wait in order. */
export type Admission = {
  /** True when it is this instance's turn; false puts it into the queue and wakes it when its turn comes. */
  enter(instanceId: string, operationId: string): boolean
  leave(instanceId: string): void
}

/** What the loops work with. */
export type InstanceContext = {
  store: InstanceStore
  operations: Operations
  hypervisor: Hypervisor
  peers: Peers
  living: LivingVms
  files: InstanceFiles
  folders: Folders
  admission: Admission
  /** Boot id of this host now. */
  hostBootId: string
  /** How long an agent may take to answer after the start. */
  agentWaitMs: number
}

import type { Owner } from './owner.ts'
import type { GuestNetwork } from '@berth/proto/berth/network/host/v1/network_host_pb.ts'
import type { Network, Port } from '@berth/proto/berth/network/v1/network_pb.ts'
import type { Inspection } from './host-network.ts'

/** Which network: id or name; empty is `default`, which is made when it is missing. */
export type NetworkWish = { project: string; reference: string; actor: string }

/** Whose port, and how it should be. */
export type PortWish = NetworkWish & { owner: Owner; uid: number; up: boolean; hostname: string }

export type PortAnswer = { port: Port; tap: string; guest: Omit<GuestNetwork, '$typeName' | '$unknown'> }

/** What the routes ask of the service. */
export interface NetworkWork {
  readonly hostId: string
  readonly epoch: number
  /** @throws NotFound(`NETWORK_NOT_FOUND`), ResourceExhausted(`NO_FREE_SUBNET`) */
  ensureNetwork(wish: NetworkWish, signal: AbortSignal): Promise<Network>
  /** @throws NotFound(`NETWORK_NOT_FOUND`), ResourceExhausted(`NO_FREE_ADDRESS`), InvalidArgument(`BAD_HOSTNAME`) */
  ensurePort(wish: PortWish, signal: AbortSignal): Promise<PortAnswer>
  /** OK when there is none. */
  releasePort(owner: Owner, signal: AbortSignal): Promise<void>
  /** Compares host and database, changes nothing. */
  audit(signal: AbortSignal): Promise<Audited>
}

/** What the host and the rows say of each other, and the ports that are there for resources of other services. */
export type Audited = Inspection & { held: { ownerId: string; slot: string; portId: string }[] }

export type PageAsked = { pageSize: number; pageToken: string; filter: string }
export type WatchAsked = { project: string; filter: string; resumeToken: string; signal: AbortSignal }

/** One kind of resource for those who only look. */
export interface Shelf<M> {
  /** By id or name. @throws NotFound */
  get(project: string, reference: string): Promise<M>
  list(project: string, page: PageAsked): Promise<{ items: M[]; nextPageToken: string }>
  watch(asked: WatchAsked): AsyncGenerator<{ type: 1 | 2 | 3 | 4; resource?: M | undefined; resumeToken: string }>
}

import { type Database, type ResourceStore, resourceStore, type Stored } from '@berth/db'
import { type Network, NetworkSchema, type Port, PortSchema } from '@berth/proto/berth/network/v1/network_pb.ts'
import { networks, type PortColumns, ports } from './tables.ts'

export type NetworkRow = Stored<Network, object>
export type PortRow = Stored<Port, PortColumns>
export type Stores = { db: Database; networks: ResourceStore<Network, object>; ports: ResourceStore<Port, PortColumns> }

/** The stores of this service's resources. */
export function openStores(db: Database): Stores {
  return {
    db,
    networks: resourceStore({ db, table: networks, kind: 'network', idPrefix: 'net', schema: NetworkSchema }),
    ports: resourceStore({ db, table: ports, kind: 'port', idPrefix: 'prt', schema: PortSchema }),
  }
}

import { create } from '@bufbuild/protobuf'
import { isBerthError } from '@berth/errors'
import { NetworkSpecSchema, NetworkStatusSchema } from '@berth/proto/berth/network/v1/network_pb.ts'
import { type RandomBytes, uniqueLocalRange } from '../domain/names.ts'
import type { NetworkRow, Stores } from './stores.ts'

export type NewNetwork = { project: string; actor: string; name: string; host: string; random: RandomBytes }

/** Makes the project's default network: 10.94.0.0/16 and a random unique local /48. When another was faster, theirs it is. */
export async function createDefaultNetwork(
  { db, networks }: Stores,
  { project, actor, name, host, random }: NewNetwork,
): Promise<NetworkRow> {
  const spec = create(NetworkSpecSchema, { ipv4Range: '10.94.0.0/16', ipv6Range: uniqueLocalRange(random) })
  const status = create(NetworkStatusSchema)
  try {
    return await db.transaction('network.create', (tx) =>
      networks.insert(tx, { project, name, spec, status, host, creator: actor || 'berth-network' }),
    )
  } catch (error) {
    if (isBerthError(error) && error.reason === 'NAME_TAKEN') return networks.get(project, name)
    throw error
  }
}

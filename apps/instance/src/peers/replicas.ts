import { InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { clientOf, connectTo } from '@berth/rpc'

type Client = ReturnType<typeof clientOf<typeof InstanceService>>
type Identity = Parameters<typeof connectTo>[0]['identity']

/** Connections to the instance services of other hosts, one an address, made when first needed. */
export function replicas(identity: Identity): Disposable & { at(address: string): Client } {
  const open = new Map<string, { client: Client; transport: ReturnType<typeof connectTo> }>()
  return {
    at(address) {
      const known = open.get(address)
      if (known) return known.client
      const transport = connectTo({ target: address, identity })
      const client = clientOf(InstanceService, transport)
      open.set(address, { client, transport })
      return client
    },
    [Symbol.dispose]() {
      for (const { transport } of open.values()) transport[Symbol.dispose]()
    },
  }
}

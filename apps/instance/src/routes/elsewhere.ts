import type { Instance } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { failedPrecondition, unavailable } from '@berth/errors'
import { passOn } from '@berth/rpc'
import type { HandlerContext } from '@connectrpc/connect'
import type { InstanceClient, RouteContext } from './context.ts'

/** Set on a call that one replica passed to another: it is passed on once. */
const passedHeader = 'berth-passed-on'

/**
 * The replica on the host where the instance lives, when that is not here.
 *
 * @throws Unavailable(`HOST_UNREACHABLE`) when that host gives no sign of life; FailedPrecondition(`ROUTING_LOOP`) when the call was passed on already
 */
export async function elsewhere(
  { hosts, clientAt }: RouteContext,
  { host }: Instance,
  call: HandlerContext,
): Promise<{ client: InstanceClient; headers: Headers } | undefined> {
  if (host === hosts.local) return undefined
  if (call.requestHeader.has(passedHeader))
    throw failedPrecondition('ROUTING_LOOP', 'the call was passed on to a host that does not have the instance')
  const address = await hosts.address(host)
  if (!address) throw unavailable('HOST_UNREACHABLE', `the host “${host}” gives no sign of life`, { metadata: { host } })
  const headers = new Headers(passOn(call))
  headers.set(passedHeader, hosts.local)
  return { client: clientAt(address), headers }
}

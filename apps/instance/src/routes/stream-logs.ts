import {
  type StreamInstanceLogsRequest,
  type StreamInstanceLogsResponse,
  StreamInstanceLogsResponseSchema,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { outOfRange } from '@berth/errors'
import { callerOf } from '@berth/rpc'
import { create } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import type { RouteContext } from './context.ts'
import { elsewhere } from './elsewhere.ts'

/** The console of an instance, here or through the replica on its host. */
export async function* streamLogs(
  ctx: RouteContext,
  request: StreamInstanceLogsRequest,
  call: HandlerContext,
): AsyncGenerator<StreamInstanceLogsResponse> {
  const instance = await ctx.instances.get(callerOf(call).project, request.id)
  const other = await elsewhere(ctx, instance, call)
  if (other) {
    yield* other.client.streamInstanceLogs(request, { headers: other.headers, signal: call.signal })
    return
  }
  const offset = Number(request.offset)
  const range = { offset, tailBytes: Number(request.tailBytes), follow: request.follow }
  let first = true
  for await (const { data, nextOffset } of ctx.guests.console(instance, range, call.signal)) {
    const start = nextOffset - data.length
    if (first && offset > 0 && start > offset)
      throw outOfRange('OFFSET_GONE', `the console is kept from offset ${start} on`, { metadata: { oldest: `${start}` } })
    first = false
    yield create(StreamInstanceLogsResponseSchema, { data: data as Uint8Array<ArrayBuffer>, nextOffset: BigInt(nextOffset) })
  }
}

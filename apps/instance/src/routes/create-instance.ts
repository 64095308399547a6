import {
  type CreateInstanceRequest,
  CreateInstanceRequestSchema,
  InstanceSchema,
  InstanceService,
  InstanceSpecSchema,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { callerOf } from '@berth/rpc'
import { create } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import { completeSpec, nameFromImage } from '../domain/spec.ts'
import { newStatus } from '../domain/status.ts'
import { accepted } from './accepted.ts'
import type { RouteContext } from './context.ts'

const method = `${InstanceService.typeName}/CreateInstance`

/** Checks and completes the spec against the host that will run it, and accepts the work. */
export async function createInstance({ instances, hosts }: RouteContext, request: CreateInstanceRequest, call: HandlerContext) {
  const caller = callerOf(call)
  const wanted = request.spec ?? create(InstanceSpecSchema)
  const host = wanted.host || hosts.local
  const spec = completeSpec(wanted, await hosts.limits(host))
  const id = instances.newId()
  const name = request.name || nameFromImage(spec.boot.value?.image ?? '', id)
  const { labels, annotations } = request
  if (request.validateOnly) {
    const { project, actor: creator } = caller
    return { instance: create(InstanceSchema, { project, name, labels, annotations, spec, status: newStatus(), host, creator }) }
  }
  return accepted(
    await instances.create(
      { caller, method, schema: CreateInstanceRequestSchema, message: request },
      { id, name, labels, annotations, host, spec },
    ),
  )
}

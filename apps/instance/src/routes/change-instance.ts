import {
  type DeleteInstanceRequest,
  DeleteInstanceRequestSchema,
  FieldEffect,
  InstanceService,
  type RestartInstanceRequest,
  RestartInstanceRequestSchema,
  type StartInstanceRequest,
  StartInstanceRequestSchema,
  type StopInstanceRequest,
  StopInstanceRequestSchema,
  type UpdateInstanceRequest,
  UpdateInstanceRequestSchema,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { callerOf } from '@berth/rpc'
import { durationMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext } from '@connectrpc/connect'
import * as rules from '../domain/power.ts'
import { accepted } from './accepted.ts'
import type { RouteContext } from './context.ts'

/** A guest has so long to stop when nobody says. */
const defaultGraceMs = 10_000

const method = (name: string): string => `${InstanceService.typeName}/${name}`

export async function startInstance({ instances }: RouteContext, message: StartInstanceRequest, context: HandlerContext) {
  const call = { caller: callerOf(context), method: method('StartInstance'), schema: StartInstanceRequestSchema, message }
  return accepted(await instances.change(call, { reference: message.id }, rules.startInstance))
}

export async function stopInstance({ instances }: RouteContext, message: StopInstanceRequest, context: HandlerContext) {
  const call = { caller: callerOf(context), method: method('StopInstance'), schema: StopInstanceRequestSchema, message }
  const graceMs = message.gracePeriod ? durationMs(message.gracePeriod) : defaultGraceMs
  return accepted(await instances.change(call, { reference: message.id }, (target) => rules.stopInstance(target, graceMs)))
}

export async function restartInstance({ instances }: RouteContext, message: RestartInstanceRequest, context: HandlerContext) {
  const call = { caller: callerOf(context), method: method('RestartInstance'), schema: RestartInstanceRequestSchema, message }
  return accepted(await instances.change(call, { reference: message.id }, rules.restartInstance))
}

export async function deleteInstance({ instances }: RouteContext, message: DeleteInstanceRequest, context: HandlerContext) {
  const call = { caller: callerOf(context), method: method('DeleteInstance'), schema: DeleteInstanceRequestSchema, message }
  return accepted(await instances.change(call, { reference: message.id, etag: message.etag }, rules.deleteInstance))
}

export async function updateInstance({ instances }: RouteContext, message: UpdateInstanceRequest, context: HandlerContext) {
  const call = { caller: callerOf(context), method: method('UpdateInstance'), schema: UpdateInstanceRequestSchema, message }
  const paths = message.updateMask?.paths ?? []
  rules.checkMask(paths)
  const { labels, annotations, desiredPower } = message
  const changes = { paths, labels, annotations, desiredPower }
  const answer = await instances.change(call, { reference: message.id, etag: message.etag }, (target) =>
    rules.updateInstance(target, changes),
  )
  return { ...accepted(answer), effects: Object.fromEntries(paths.map((path) => [path, FieldEffect.APPLIED])) }
}

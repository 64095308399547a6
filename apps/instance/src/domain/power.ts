import {
  DesiredPower,
  type Instance,
  type InstanceSpec,
  InstanceSpecSchema,
  InstanceState,
  type InstanceStatus,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { failedPrecondition, invalidArgument } from '@berth/errors'
import { clone } from '@bufbuild/protobuf'

/** The part of an instance that power rules look at. */
export type Target = { spec: InstanceSpec; status: InstanceStatus; deleteTime: Date | null; stopGraceMs: number }

/** What becomes of it: nothing set is already as wanted. */
export type Decision = {
  change?: { spec?: InstanceSpec; labels?: Instance['labels']; annotations?: Instance['annotations']; extra?: { stopGraceMs: number } }
  delete?: boolean
  operation?: string
  /** Kind of the work that was asked for before, where this asks for nothing more. */
  joins?: string
}

/** Wanted on; one that ended by itself is started once more. */
export function startInstance({ spec, status, deleteTime }: Target): Decision {
  refuseDeleted(deleteTime)
  if (spec.desiredPower === DesiredPower.STOPPED)
    return { change: { spec: withPower(spec, DesiredPower.RUNNING) }, operation: 'instance.start' }
  const endedByItself = status.state === InstanceState.STOPPED && status.lastExit !== undefined
  return endedByItself ? { change: { spec: raised(spec) }, operation: 'instance.start' } : { joins: 'instance.start' }
}

/** Wanted off, within this grace; a second stop may have another. */
export function stopInstance({ spec, status, deleteTime, stopGraceMs }: Target, graceMs: number): Decision {
  refuseDeleted(deleteTime)
  const extra = { stopGraceMs: graceMs }
  if (spec.desiredPower !== DesiredPower.STOPPED)
    return { change: { spec: withPower(spec, DesiredPower.STOPPED), extra }, operation: 'instance.stop' }
  if (status.state === InstanceState.STOPPED || stopGraceMs === graceMs) return { joins: 'instance.stop' }
  return { change: { extra }, operation: 'instance.stop' }
}

/** Wanted on, afresh. */
export function restartInstance({ spec, deleteTime }: Target): Decision {
  refuseDeleted(deleteTime)
  return { change: { spec: withPower(raised(spec), DesiredPower.RUNNING) }, operation: 'instance.restart' }
}

/** A second delete answers the operation of the first. */
export function deleteInstance({ deleteTime }: Target): Decision {
  return deleteTime ? { joins: 'instance.delete' } : { delete: true, operation: 'instance.delete' }
}

export type Changes = { paths: string[]; labels: Instance['labels']; annotations: Instance['annotations']; desiredPower: DesiredPower }

/** Fields that UpdateInstance can change; all have their effect at once. */
const changeable = new Set(['labels', 'annotations', 'desired_power'])
const defaultGraceMs = 10_000

/** @throws InvalidArgument with field `update_mask` */
export function updateInstance(target: Target, { paths, labels, annotations, desiredPower }: Changes): Decision {
  refuseDeleted(target.deleteTime)
  const power = desiredPower === DesiredPower.STOPPED ? stopInstance(target, defaultGraceMs) : startInstance(target)
  const decision = paths.includes('desired_power') ? power : {}
  return {
    ...decision,
    change: {
      ...decision.change,
      ...(paths.includes('labels') ? { labels } : {}),
      ...(paths.includes('annotations') ? { annotations } : {}),
    },
  }
}

/** @throws InvalidArgument(`BAD_UPDATE_MASK`) */
export function checkMask(paths: string[]): void {
  const unknown = paths.find((path) => !changeable.has(path))
  if (paths.length > 0 && unknown === undefined) return
  const message =
    unknown === undefined ? 'update_mask names no field' : `“${unknown}” cannot be changed: one of ${[...changeable].join(', ')}`
  throw invalidArgument('BAD_UPDATE_MASK', message, { field: 'update_mask' })
}

function refuseDeleted(deleteTime: Date | null): void {
  if (deleteTime) throw failedPrecondition('BEING_DELETED', 'the instance is being deleted')
}

function withPower(spec: InstanceSpec, desiredPower: DesiredPower): InstanceSpec {
  return { ...spec, desiredPower }
}

function raised(spec: InstanceSpec): InstanceSpec {
  const next = clone(InstanceSpecSchema, spec)
  next.restartGeneration += 1n
  return next
}

import { DesiredPower, type InstanceSpec, InstanceState, type InstanceStatus } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { goodRunMs, nextRestart } from './restart.ts'
import { startHasFailed } from './status.ts'

/**
 * What to do next about an instance's power.
 *
 *     run      the VMM lives and should: boot it, bring its ports up, wait for its agent
 *     leave    the VMM lives yet, but its guest has powered off: it goes by itself, and its end says the rest
 *     start    there is no VMM and there should be one; `restart` says that the policy wants it
 *     stop     the VMM lives and should not, or should be another
 *     wait     the policy starts it at `untilMs`
 *     rest     nothing, until somebody wants something
 */
export type Next = { do: 'run' | 'leave' | 'stop' | 'rest' } | { do: 'start'; restart: boolean } | { do: 'wait'; untilMs: number }

export type Situation = {
  spec: InstanceSpec
  /** With the journal folded in. */
  status: InstanceStatus
  alive: boolean
  /** We had begun to end the VM that lives: it is ended before anything else. */
  stopBegun: boolean
  nowMs: number
}

/** Decides from what is wanted and what is so, and from nothing remembered. */
export function decide({ spec, status, alive, stopBegun, nowMs }: Situation): Next {
  if (alive && mustEnd({ spec, status, stopBegun })) return { do: 'stop' }
  if (isWantedOff(spec)) return { do: 'rest' }
  if (alive) return { do: status.state === InstanceState.SHUTDOWN ? 'leave' : 'run' }
  const exit = status.lastExit
  if (!exit || isRestartAsked({ spec, status }) || exit.reason === 'STOPPED_BY_USER') return { do: 'start', restart: false }
  const endMs = exit.time ? timestampMs(exit.time) : nowMs
  const untilMs = nextRestart({ policy: spec.restartPolicy, reason: exit.reason, restarts: restartsSoFar(status), endMs })
  if (untilMs === undefined) return { do: 'rest' }
  return untilMs <= nowMs ? { do: 'start', restart: true } : { do: 'wait', untilMs }
}

/** Restarts by policy that count: none once it has run well. A start that failed was no run. */
export function restartsSoFar(status: InstanceStatus): number {
  const { startTime, lastExit, restartCount } = status
  if (!startTime || !lastExit?.time || startHasFailed(status)) return restartCount
  return timestampMs(lastExit.time) - timestampMs(startTime) >= goodRunMs ? 0 : restartCount
}

/** Whether a VM that lives has to end: nobody wants it, somebody wants another in its place, or its end has begun. */
export function mustEnd({ spec, status, stopBegun }: Pick<Situation, 'spec' | 'status' | 'stopBegun'>): boolean {
  return isWantedOff(spec) || stopBegun || isRestartAsked({ spec, status })
}

function isRestartAsked({ spec, status }: Pick<Situation, 'spec' | 'status'>): boolean {
  return spec.restartGeneration > status.observedRestartGeneration
}

export function isWantedOff({ desiredPower }: InstanceSpec): boolean {
  return desiredPower === DesiredPower.STOPPED
}

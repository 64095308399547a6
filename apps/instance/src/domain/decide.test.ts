import {
  DesiredPower,
  InstanceSpecSchema,
  InstanceState,
  InstanceStatusSchema,
  RestartPolicy,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { decide, mustEnd } from './decide.ts'

type Given = {
  spec?: MessageInitShape<typeof InstanceSpecSchema>
  status?: MessageInitShape<typeof InstanceStatusSchema>
  alive?: boolean
  stopBegun?: boolean
}
const situation = ({ spec, status, alive = false, stopBegun = false }: Given) => ({
  spec: create(InstanceSpecSchema, { desiredPower: DesiredPower.RUNNING, restartPolicy: RestartPolicy.ON_FAILURE, ...spec }),
  status: create(InstanceStatusSchema, status),
  alive,
  stopBegun,
  nowMs: 1_000_000,
})
const ended = (reason: string) => ({ reason, time: timestampFromMs(1_000_000) })

test('a VM must end that nobody wants, that another is wanted for, or whose end has begun, and no other', () => {
  const must = (given: Given) => mustEnd(situation(given))
  expect(must({})).toBe(false)
  expect(must({ spec: { desiredPower: DesiredPower.STOPPED } })).toBe(true)
  expect(must({ spec: { restartGeneration: 2n }, status: { observedRestartGeneration: 1n } })).toBe(true)
  expect(must({ spec: { restartGeneration: 2n }, status: { observedRestartGeneration: 2n } })).toBe(false)
  expect(must({ stopBegun: true })).toBe(true)
})

test.each<[string, Given, object]>([
  ['a new instance starts', {}, { do: 'start', restart: false }],
  ['a living one runs', { alive: true }, { do: 'run' }],
  ['one whose guest has powered off is not booted', { alive: true, status: { state: InstanceState.SHUTDOWN } }, { do: 'leave' }],
  [
    'but ended when a restart is asked for',
    { alive: true, status: { state: InstanceState.SHUTDOWN }, spec: { restartGeneration: 1n } },
    { do: 'stop' },
  ],
  ['one that should be off and lives is stopped', { spec: { desiredPower: DesiredPower.STOPPED }, alive: true }, { do: 'stop' }],
  ['one that should be off and is rests', { spec: { desiredPower: DesiredPower.STOPPED } }, { do: 'rest' }],
  ['a restart stops the living', { spec: { restartGeneration: 1n }, alive: true }, { do: 'stop' }],
  [
    'a restart starts the ended, whatever ended it',
    { spec: { restartGeneration: 1n }, status: { lastExit: ended('GUEST_POWEROFF') } },
    { do: 'start', restart: false },
  ],
  ['a stop that a start overtook is finished first', { alive: true, stopBegun: true }, { do: 'stop' }],
  ['and then it starts', { status: { lastExit: ended('STOPPED_BY_USER') } }, { do: 'start', restart: false }],
  ["the guest's own power-off is no failure", { status: { lastExit: ended('GUEST_POWEROFF') } }, { do: 'rest' }],
  ['a crash waits for its restart', { status: { lastExit: ended('VMM_KILLED') } }, { do: 'wait', untilMs: 1_001_000 }],
  ['longer each time', { status: { lastExit: ended('VMM_KILLED'), restartCount: 3 } }, { do: 'wait', untilMs: 1_008_000 }],
  ['but not for ever longer', { status: { lastExit: ended('VMM_KILLED'), restartCount: 99 } }, { do: 'wait', untilMs: 1_300_000 }],
  ['never is never', { spec: { restartPolicy: RestartPolicy.NEVER }, status: { lastExit: ended('GUEST_PANIC') } }, { do: 'rest' }],
  [
    'always is also after a power-off',
    { spec: { restartPolicy: RestartPolicy.ALWAYS }, status: { lastExit: ended('GUEST_POWEROFF') } },
    { do: 'wait', untilMs: 1_001_000 },
  ],
  [
    'a restart that is due starts',
    { status: { lastExit: { reason: 'OUT_OF_MEMORY', time: timestampFromMs(990_000) } } },
    { do: 'start', restart: true },
  ],
])('%s', (_, given, expected) => {
  expect(decide(situation(given))).toEqual(expected)
})

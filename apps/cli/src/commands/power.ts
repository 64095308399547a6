import type { Instance } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import type { Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { command, instanceNames, many, switchFlag, type Work } from '../command.ts'
import { Exit } from '../exit.ts'
import { describeError, exitCodeOf } from '../exit.ts'
import { followOperation, progressSink } from '../follow.ts'
import { parseDuration } from '../output/format.ts'
import { instanceView } from '../output/views.ts'

interface PowerFlags {
  readonly noWait: boolean
  readonly timeout?: number
  readonly grace?: number
  readonly force?: boolean
}

type Answer = { readonly instance?: Instance; readonly operation?: Operation }

const duration = (brief: string) => ({ kind: 'parsed', parse: parseDuration, optional: true, brief, placeholder: 'duration' }) as const

function power(brief: string, verbed: string, call: (work: Work, id: string, flags: PowerFlags) => Promise<Answer>, flags: object = {}) {
  return command<PowerFlags>({
    brief,
    flags: { ...flags, noWait: switchFlag('Do not wait for the end'), timeout: duration('Give up waiting after so long') },
    positional: many('instance', 'Ids or names', 1, instanceNames),
    run: (work, own, ...ids) =>
      eachOf(work, ids, async (id) => {
        const { instance, operation } = await call(work, id, own)
        if (operation && !own.noWait) {
          await followOperation(work.api, operation, {
            sink: progressSink(work.cli.process.stderr, true),
            signal: work.signal,
            timeoutMs: own.timeout,
          })
        }
        if (instance) work.out.changed(instanceView, instance, verbed)
      }),
  })
}

/** Does something for each name, all of them side by side; goes on after a failure and exits with the first one's code. */
export async function eachOf(work: Work, ids: readonly string[], action: (id: string) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(ids.map(action))
  const failures = results.filter((result) => result.status === 'rejected').map((result) => result.reason as unknown)
  if (failures.length === 1 && ids.length === 1) throw failures[0]
  for (const failure of failures) work.cli.process.stderr.write(`berth: ${describeError(failure)}\n`)
  if (failures.length > 0) throw new Exit(exitCodeOf(failures[0], work.signal.aborted))
}

const requestId = () => crypto.randomUUID()

export const start = power('Start instances', 'started', ({ api, signal }, id) =>
  api.instances.startInstance({ id, requestId: requestId() }, { signal }),
)

export const stop = power(
  'Stop instances: ask the guest, then force it',
  'stopped',
  ({ api, signal }, id, flags) => {
    const graceMs = flags.force ? 0 : flags.grace
    const gracePeriod = graceMs === undefined ? undefined : durationFromMs(graceMs)
    return api.instances.stopInstance({ id, gracePeriod, requestId: requestId() }, { signal })
  },
  { grace: duration('How long the guest may take (default 10s)'), force: switchFlag('Do not ask the guest') },
)

export const restart = power('Restart instances', 'restarted', ({ api, signal }, id) =>
  api.instances.restartInstance({ id, requestId: requestId() }, { signal }),
)

export const deleteInstances = power('Delete instances and all that is their own', 'deleted', ({ api, signal }, id) =>
  api.instances.deleteInstance({ id, requestId: requestId() }, { signal }),
)

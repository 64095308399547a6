import { command, many, one } from '../command.ts'
import { followOperation, progressSink } from '../follow.ts'
import { parseDuration } from '../output/format.ts'
import { operationView } from '../output/views.ts'
import { eachOf } from './power.ts'

export const waitOperation = command<{ readonly timeout?: number }, readonly [string]>({
  brief: 'Wait until an operation has ended',
  flags: { timeout: { kind: 'parsed', parse: parseDuration, optional: true, brief: 'Give up after so long', placeholder: 'duration' } },
  positional: one('operation', 'Id'),
  async run({ api, cli, out, quiet, signal }, flags, id) {
    const { operation } = await api.operations.getOperation({ id }, { signal })
    if (!operation) throw new Error('the answer had no operation')
    const sink = progressSink(cli.process.stderr, quiet)
    out.changed(operationView, await followOperation(api, operation, { sink, signal, timeoutMs: flags.timeout }), 'done')
  },
})

export const cancelOperations = command<object, readonly string[]>({
  brief: 'Ask operations to stop and to undo what they did',
  positional: many('operation', 'Ids'),
  run: (work, _flags, ...ids) =>
    eachOf(work, ids, async (id) => {
      const { operation } = await work.api.operations.cancelOperation({ id }, { signal: work.signal })
      if (operation) work.out.changed(operationView, operation, 'asked to stop')
    }),
})

import { command, many, one, textFlag } from '../command.ts'
import { UsageError } from '../exit.ts'
import { followOperation, progressSink } from '../follow.ts'
import { parseBytes } from '../output/format.ts'
import { volumeView } from '../output/views.ts'
import { eachOf } from './power.ts'

export const createVolume = command<{ readonly size?: bigint; readonly pool?: string; readonly host?: string }, readonly [string]>({
  brief: 'Create a volume of zeroes',
  flags: {
    size: { kind: 'parsed', parse: parseBytes, optional: true, brief: 'Size, a multiple of 4 KiB (required)', placeholder: 'size' },
    pool: textFlag('Pool (default: default)', 'name'),
    host: textFlag('Id of the host', 'id'),
  },
  positional: one('name', 'Name'),
  async run({ api, cli, out, quiet, signal }, flags, name) {
    if (flags.size === undefined) throw new UsageError('--size is required, e.g. --size 1GiB')
    const request = { name, sizeBytes: flags.size, pool: flags.pool ?? '', host: flags.host ?? '', requestId: crypto.randomUUID() }
    const { volume, operation } = await api.volumes.createVolume(request, { signal })
    if (!volume) throw new Error('the answer had no volume')
    if (operation) await followOperation(api, operation, { sink: progressSink(cli.process.stderr, quiet), signal })
    out.changed(volumeView, volume, 'created')
  },
})

export const deleteVolumes = command<object, readonly string[]>({
  brief: 'Delete volumes and their bytes',
  positional: many('volume', 'Ids or names'),
  run: (work, _flags, ...ids) =>
    eachOf(work, ids, async (id) => {
      const { api, signal, out, cli } = work
      const { volume, operation } = await api.volumes.deleteVolume({ id, requestId: crypto.randomUUID() }, { signal })
      if (operation) await followOperation(api, operation, { sink: progressSink(cli.process.stderr, true), signal })
      if (volume) out.changed(volumeView, volume, 'deleted')
    }),
})

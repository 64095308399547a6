import { numberParser } from '@stricli/core'
import { command, instanceNames, one, switchFlag } from '../command.ts'
import { escapeText } from '../output/escape.ts'
import { parseBytes } from '../output/format.ts'

export const logs = command<{ readonly follow: boolean; readonly tail?: bigint; readonly offset?: number }, readonly [string]>({
  brief: 'Show the console of an instance',
  full: 'Bytes of the guest are passed on as they are to a file or pipe; on a terminal control characters are shown as \\xNN.',
  flags: {
    follow: switchFlag('Go on with what comes'),
    tail: { kind: 'parsed', parse: parseBytes, optional: true, brief: 'Begin so many bytes before the end', placeholder: 'size' },
    offset: { kind: 'parsed', parse: numberParser, optional: true, brief: 'Begin at this offset', placeholder: 'n' },
  },
  aliases: { F: 'follow' },
  positional: one('instance', 'Id or name', instanceNames),
  async run({ api, cli, signal }, flags, id) {
    const { stdout } = cli.process
    const decoder = new TextDecoder()
    const request = { id, follow: flags.follow, tailBytes: flags.tail ?? 0n, offset: BigInt(flags.offset ?? 0) }
    for await (const { data } of api.instances.streamInstanceLogs(request, { signal })) {
      stdout.write(stdout.isTTY ? escapeText(decoder.decode(data, { stream: true }), true) : data)
    }
  },
})

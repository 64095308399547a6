import { type Event, EventSchema } from '@berth/proto/berth/event/v1/event_pb.ts'
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { command, switchFlag, textFlag } from '../command.ts'
import { asBerthError } from '../exit.ts'
import { escapeText } from '../output/escape.ts'

interface EventFlags {
  readonly follow: boolean
  readonly kind?: readonly string[]
  readonly resource?: string
  readonly from?: string
}

export const events = command<EventFlags>({
  brief: 'Show what changed, as JSON lines with -o jsonl',
  full: 'Shows the events that are kept; with -F goes on with what comes and survives a lost connection without a gap.',
  flags: {
    follow: switchFlag('Go on with what comes'),
    kind: { kind: 'parsed', parse: (it: string) => it, variadic: true, optional: true, brief: 'Only this kind', placeholder: 'kind' },
    resource: textFlag('Only this resource', 'id'),
    from: textFlag('Go on after this token', 'token'),
  },
  aliases: { F: 'follow' },
  async run({ api, cli, out, signal }, flags) {
    let token = flags.from ?? ''
    for (let attempt = 0; ; attempt += 1) {
      try {
        const request = {
          resumeToken: token,
          fromStart: true,
          noFollow: !flags.follow,
          kinds: [...(flags.kind ?? [])],
          resourceId: flags.resource ?? '',
        }
        for await (const answer of api.events.watchEvents(request, { signal })) {
          token = answer.resumeToken
          attempt = 0
          if (answer.event) out.element(EventSchema, answer.event, eventLine(answer.event))
        }
        return
      } catch (error) {
        if (!flags.follow || signal.aborted || attempt >= 60 || !isUnavailable(error)) throw error
        cli.process.stderr.write('berth: connection lost, trying again\n')
        await pause(Math.min(1000, 100 * 2 ** attempt), signal)
      }
    }
  },
})

function eventLine(event: Event): string {
  const time = event.time ? timestampDate(event.time).toISOString() : ''
  const name = typeof event.resource?.['name'] === 'string' ? event.resource['name'] : ''
  return escapeText(`${time}  ${event.kind.padEnd(10)} ${event.verb.padEnd(9)} ${event.resourceId} ${name}  ${event.actor}`)
}

function isUnavailable(error: unknown): boolean {
  return asBerthError(error)?.code === 'UNAVAILABLE'
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

import { OnExit, RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { command, many, switchFlag, textFlag } from '../command.ts'
import { UsageError } from '../exit.ts'
import { followOperation, progressSink } from '../follow.ts'
import { parseBytes, parseDuration } from '../output/format.ts'
import { instanceView } from '../output/views.ts'

interface LaunchFlags {
  readonly name?: string
  readonly vcpus?: number
  readonly memory?: bigint
  readonly scratch?: bigint
  readonly env?: readonly string[]
  readonly user?: string
  readonly workdir?: string
  readonly entrypoint?: string
  readonly volume?: readonly string[]
  readonly network?: readonly string[]
  readonly label?: readonly string[]
  readonly restart?: keyof typeof restartPolicies
  readonly onExit?: keyof typeof onExits
  readonly host?: string
  readonly requestId?: string
  readonly noWait: boolean
  readonly timeout?: number
}

const restartPolicies = { never: RestartPolicy.NEVER, 'on-failure': RestartPolicy.ON_FAILURE, always: RestartPolicy.ALWAYS } as const
const onExits = { keep: OnExit.KEEP, stop: OnExit.STOP, restart: OnExit.RESTART } as const

function oneOf<Name extends string>(values: Record<Name, number>, brief: string) {
  return { kind: 'enum', values: Object.keys(values) as Name[], optional: true, brief } as const
}

const list = (brief: string, placeholder: string) =>
  ({ kind: 'parsed', parse: (value: string) => value, variadic: true, optional: true, brief, placeholder }) as const

export const launch = command<LaunchFlags, readonly string[]>({
  brief: 'Create an instance of an image, start it and wait until it answers',
  full: 'Creates an instance, shows its stages as they happen and ends when the guest agent answers. Words after -- replace the command of the image.',
  flags: {
    name: textFlag('Name; made from the image when it is missing', 'name'),
    vcpus: { kind: 'parsed', parse: parseCount, optional: true, brief: 'Virtual CPUs (default 1)', placeholder: 'n' },
    memory: { kind: 'parsed', parse: parseBytes, optional: true, brief: 'Memory (default 512MiB)', placeholder: 'size' },
    scratch: {
      kind: 'parsed',
      parse: parseBytes,
      optional: true,
      brief: 'Writable disk over the image (default 8GiB)',
      placeholder: 'size',
    },
    env: list('Environment of the workload, NAME=value', 'name=value'),
    user: textFlag('User of the workload', 'user'),
    workdir: textFlag('Working directory of the workload', 'path'),
    entrypoint: textFlag('Program to run instead of the entrypoint of the image', 'path'),
    volume: list('Volume to attach, VOLUME[:/mount/path[:ro]]', 'volume'),
    network: list('Network to connect to (default: default)', 'name'),
    label: list('Label, key=value', 'key=value'),
    restart: oneOf(restartPolicies, 'When a VM that ended is started again (default on-failure)'),
    onExit: oneOf(onExits, 'What becomes of the VM when its workload ends: it stays, stops, or starts the workload again (default keep)'),
    host: textFlag('Id of the host', 'id'),
    requestId: textFlag('Makes a retry safe', 'id'),
    noWait: switchFlag('Do not wait until it answers'),
    timeout: { kind: 'parsed', parse: parseDuration, optional: true, brief: 'Give up waiting after so long', placeholder: 'duration' },
  },
  positional: many('image', 'Image, then the command after --'),
  async run({ api, cli, out, quiet, signal }, flags, image, ...args) {
    const sink = progressSink(cli.process.stderr, quiet)
    const { instance, operation } = await api.instances.createInstance(
      {
        name: flags.name ?? '',
        requestId: flags.requestId ?? crypto.randomUUID(),
        labels: pairs(flags.label, 'label'),
        spec: {
          boot: { case: 'image', value: { image: image ?? '' } },
          vcpus: flags.vcpus ?? 0,
          memoryBytes: flags.memory,
          scratchBytes: flags.scratch ?? 0n,
          restartPolicy: flags.restart && restartPolicies[flags.restart],
          onExit: flags.onExit && onExits[flags.onExit],
          host: flags.host ?? '',
          disks: (flags.volume ?? []).map(parseVolume),
          nics: (flags.network ?? []).map((network) => ({ network })),
          workload: {
            entrypoint: flags.entrypoint ? [flags.entrypoint] : [],
            args: args.filter((arg) => arg !== undefined),
            env: pairs(flags.env, 'env'),
            user: flags.user ?? '',
            workingDir: flags.workdir ?? '',
          },
        },
      },
      { signal },
    )
    if (!instance) throw new Error('the answer had no instance')
    if (operation && !flags.noWait) {
      sink.done(`launching ${instance.name}`)
      await followOperation(api, operation, { sink, signal, timeoutMs: flags.timeout })
    }
    const { instance: now } = await api.instances.getInstance({ id: instance.id }, { signal })
    out.changed(instanceView, now ?? instance, flags.noWait ? 'created' : 'launched')
  },
})

function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`“${text}” is not a whole number`)
  return Number(text)
}

function pairs(words: readonly string[] | undefined, flag: string): Record<string, string> {
  return Object.fromEntries(
    (words ?? []).map((word) => {
      const at = word.indexOf('=')
      if (at < 1) throw new UsageError(`--${flag} ${word}: write it as name=value`)
      return [word.slice(0, at), word.slice(at + 1)]
    }),
  )
}

/** `data`, `data:/mnt`, `data:/mnt:ro`. */
export function parseVolume(text: string): { volume: string; mountPath: string; readOnly: boolean } {
  const [volume = '', mountPath = '', mode = 'rw', ...rest] = text.split(':')
  if (!volume || rest.length > 0 || !['ro', 'rw'].includes(mode))
    throw new UsageError(`--volume ${text}: write it as VOLUME[:/mount/path[:ro]]`)
  return { volume, mountPath, readOnly: mode === 'ro' }
}

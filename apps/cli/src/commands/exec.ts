import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ExecInstanceRequestSchema } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { command, instanceNames, many, one, switchFlag, textFlag, type Work } from '../command.ts'
import { asBerthError, Exit, UsageError } from '../exit.ts'
import { execInput } from '../exec-input.ts'

interface ExecFlags {
  readonly interactive: boolean
  readonly tty: boolean
  readonly env?: readonly string[]
  readonly user?: string
  readonly workdir?: string
}

type Request = MessageInitShape<typeof ExecInstanceRequestSchema>

export const exec = command<ExecFlags, readonly string[]>({
  brief: 'Run a command in an instance',
  full: 'Passes the exit code of the command through. Its own failures exit with 125, a command that cannot be executed with 126, one that is not found with 127.',
  flags: {
    interactive: switchFlag('Pass standard input on'),
    tty: switchFlag('Give the command a terminal'),
    env: {
      kind: 'parsed',
      parse: (it: string) => it,
      variadic: true,
      optional: true,
      brief: 'Environment, NAME=value',
      placeholder: 'name=value',
    },
    user: textFlag('User to run it as', 'user'),
    workdir: textFlag('Working directory', 'path'),
  },
  aliases: { i: 'interactive', t: 'tty' },
  positional: many('instance', 'Instance, then the command after --', 2, instanceNames),
  run: (work, flags, id, ...words) =>
    runExec(
      work,
      flags,
      id ?? '',
      words.filter((word) => word !== undefined),
    ),
})

export const shell = command<{ readonly shell: string; readonly user?: string }, readonly [string]>({
  brief: 'Open a shell in an instance',
  flags: {
    shell: { kind: 'parsed', parse: (it: string) => it, default: '/bin/sh', brief: 'Program', placeholder: 'path' },
    user: textFlag('User to run it as', 'user'),
  },
  positional: one('instance', 'Id or name', instanceNames),
  run: (work, flags, id) =>
    runExec(work, { interactive: true, tty: work.cli.process.stdin.isTTY === true, user: flags.user }, id, [flags.shell]),
})

/**
 * Runs a command in the guest with this process's own streams, and ends as it ended.
 *
 * @throws Exit with the command's code; 125, 126, 127 for what kept it from running
 */
export async function runExec(work: Work, flags: ExecFlags, id: string, words: readonly string[]): Promise<void> {
  const { stdin, stdout, stderr } = work.cli.process
  if (flags.tty && !stdin.isTTY) throw new UsageError('-t needs a terminal on standard input')
  const input = execInput({ stdin, stdout, interactive: flags.interactive, tty: flags.tty, signal: work.signal })
  const start: Request = {
    message: {
      case: 'start',
      value: {
        id,
        command: [...words],
        env: Object.fromEntries((flags.env ?? []).map(splitEnv)),
        user: flags.user ?? '',
        workingDir: flags.workdir ?? '',
        terminal: flags.tty ? { rows: stdout.rows || 24, columns: stdout.columns || 80 } : undefined,
        stdin: flags.interactive,
      },
    },
  }
  let code: number | undefined
  try {
    for await (const { message } of work.api.instances.execInstance(input.messages(start), { signal: input.signal })) {
      if (message.case === 'started') input.begin()
      else if (message.case === 'stdout') await write(stdout, message.value)
      else if (message.case === 'stderr') await write(stderr, message.value)
      else if (message.case === 'exit') code = message.value.code
    }
  } catch (error) {
    throw work.signal.aborted ? new Exit(130) : failure(error)
  } finally {
    input.end()
  }
  if (code === undefined) throw new Exit(125, 'the stream ended without an exit code')
  if (code !== 0) throw new Exit(code)
}

function failure(error: unknown): Exit {
  const berth = asBerthError(error)
  const text = berth ? `${berth.message} (${berth.reason})` : String(error)
  if (berth?.reason === 'COMMAND_NOT_FOUND') return new Exit(127, text)
  if (berth?.reason === 'COMMAND_NOT_EXECUTABLE') return new Exit(126, text)
  return new Exit(125, text)
}

function splitEnv(word: string): [string, string] {
  const at = word.indexOf('=')
  if (at < 1) throw new UsageError(`--env ${word}: write it as NAME=value`)
  return [word.slice(0, at), word.slice(at + 1)]
}

/** Waits until a slow reader has taken the bytes, so that the guest is slowed down instead of this process growing. */
function write(stream: NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve())))
}

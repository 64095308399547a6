import { notFound } from '@berth/errors'
import type { Agent, AgentInfo, ExecInput, ExecOutput, ExecStart, WorkloadReport } from '../../domain/ports.ts'

const workload: WorkloadReport = { state: 'running', exitCode: 0, signal: 0, startError: '', starts: 1 }

export type PaperAgentOptions = {
  instanceId: string
  bootId: string
  /** Ends the guest. */
  powerOff: () => void
  /** Settles when the guest has ended. */
  ended: Promise<void>
}

/** The agent of a guest that only exists on paper: it knows `true`, `false`, `echo`, `cat` and `exit N`. */
export function paperAgent({ instanceId, bootId, powerOff, ended }: PaperAgentOptions): Agent {
  const closing = Promise.withResolvers<void>()
  const closed = Promise.race([closing.promise, ended])
  const info: AgentInfo = { version: 'paper', bootId, kernelRelease: '0.0.0-paper', instanceId, warnings: [], workload }
  return {
    closed,
    close: closing.resolve,
    info: () => Promise.resolve(info),
    exec,
    async *watchWorkload(signal) {
      yield workload
      await Promise.race([closed, new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))])
    },
    shutdown() {
      powerOff()
      return Promise.resolve()
    },
  }
}

async function* exec(inputs: AsyncIterable<ExecInput>): AsyncGenerator<ExecOutput> {
  let started: ExecStart | undefined
  for await (const input of inputs) {
    if (input.kind === 'start') {
      started = input.start
      yield* begin(started)
      if (started.command[0] !== 'cat') break
    } else if (input.kind === 'stdin') yield { kind: 'stdout', data: input.data }
    else if (input.kind === 'stdin-end') break
  }
  const [program, ...args] = started?.command ?? []
  yield { kind: 'exit', code: program === 'exit' ? Number(args[0]) : program === 'false' ? 1 : 0, signal: 0 }
}

function* begin({ command: [program = '', ...args] }: ExecStart): Generator<ExecOutput> {
  if (!['true', 'false', 'echo', 'cat', 'exit'].includes(program)) throw notFound('COMMAND_NOT_FOUND', `no command “${program}”`)
  yield { kind: 'started', pid: 2 }
  if (program === 'echo') yield { kind: 'stdout', data: Buffer.from(`${args.join(' ')}\n`) }
}

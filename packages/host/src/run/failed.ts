import { BerthError, type ErrorCode, machineReason } from '@berth/errors'

/** How a command failed: its own exit code, a signal, a limit of ours, or it never ran. */
export type Failure = 'exit' | 'signal' | 'timeout' | 'aborted' | 'output' | 'not-started' | 'helper-lost'

const codes: Record<Failure, [ErrorCode, string]> = {
  exit: ['INTERNAL', 'COMMAND_FAILED'],
  signal: ['INTERNAL', 'COMMAND_FAILED'],
  timeout: ['DEADLINE_EXCEEDED', 'COMMAND_TIMEOUT'],
  aborted: ['CANCELLED', 'COMMAND_ABORTED'],
  output: ['INTERNAL', 'COMMAND_OUTPUT_TOO_LARGE'],
  'not-started': ['UNAVAILABLE', 'COMMAND_NOT_STARTED'],
  'helper-lost': ['UNAVAILABLE', 'COMMAND_HELPER_LOST'],
}

export type FailedFacts = {
  argv: string[]
  failure: Failure
  /** Exit code; -1 when there is none. */
  code: number
  signal?: string | null
  stdout: string
  stderr: string
}

/**
 * A host command that did not do its work. The message names the command alone: arguments and output may hold host paths, so they stay in fields
 * for the log and for callers that translate known failures.
 */
export class CommandFailed extends BerthError {
  readonly argv: string[]
  readonly failure: Failure
  readonly exitCode: number
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string

  constructor(facts: FailedFacts) {
    const [code, reason] = codeAndReason(facts)
    const command = facts.argv[0]?.split('/').at(-1) ?? ''
    super(code, reason, `command ${command}: ${describe(facts)}`, { metadata: { command } })
    this.argv = facts.argv
    this.failure = facts.failure
    this.exitCode = facts.code
    this.signal = facts.signal ?? null
    this.stdout = facts.stdout
    this.stderr = facts.stderr
  }
}

/** A command that the kernel ended for want of memory has not failed for what it was asked. */
function codeAndReason({ failure, signal, stderr }: FailedFacts): [ErrorCode, string] {
  if (failure === 'signal' && signal === 'SIGKILL') return ['UNAVAILABLE', 'COMMAND_KILLED']
  const machine = failure === 'exit' ? machineReason(stderr) : undefined
  if (machine === undefined) return codes[failure]
  return [machine === 'DISK_FULL' ? 'RESOURCE_EXHAUSTED' : 'UNAVAILABLE', machine]
}

function describe({ failure, code, signal }: FailedFacts): string {
  switch (failure) {
    case 'exit':
      return `exit code ${code}`
    case 'signal':
      return `ended by ${signal}`
    case 'timeout':
      return 'took too long and was ended'
    case 'aborted':
      return 'was ended because the work was given up'
    case 'output':
      return 'wrote too much and was ended'
    case 'not-started':
      return 'could not be started'
    case 'helper-lost':
      return 'the process that ran it died'
  }
}

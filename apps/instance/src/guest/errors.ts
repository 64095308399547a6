import { BerthError, type ErrorCode, isBerthError, unavailable } from '@berth/errors'
import { Code, ConnectError } from '@connectrpc/connect'

/** What an agent may answer; anything else it says is a lost agent. */
const allowed: Partial<Record<Code, ErrorCode>> = {
  [Code.NotFound]: 'NOT_FOUND',
  [Code.FailedPrecondition]: 'FAILED_PRECONDITION',
  [Code.ResourceExhausted]: 'RESOURCE_EXHAUSTED',
  [Code.InvalidArgument]: 'INVALID_ARGUMENT',
}
const reasons = new Set([
  'COMMAND_NOT_FOUND',
  'COMMAND_NOT_EXECUTABLE',
  'WORKING_DIR_NOT_FOUND',
  'USER_NOT_FOUND',
  'TOO_MANY_SESSIONS',
  'INVALID_ARGUMENT',
])
const longestText = 1024

/** An agent's error in our words. The guest chooses among the reasons its interface names, and no others; a cut that `signal` did not make is its loss. */
export function asAgentError(error: unknown, signal: AbortSignal): BerthError {
  if (isBerthError(error)) return error
  const { code: number, rawMessage } = ConnectError.from(error)
  const code = allowed[number]
  const [, reason, text] = /^([A-Z_]{2,40}): ([\s\S]*)$/.exec(rawMessage) ?? []
  if (code && reason && reasons.has(reason)) return new BerthError(code, reason, clean(text ?? ''), { cause: error })
  if (number === Code.Canceled && signal.aborted) return new BerthError('CANCELLED', 'CANCELLED', 'the call was given up', { cause: error })
  return unavailable('AGENT_LOST', 'the guest agent went away or did not answer in time', { cause: error })
}

function clean(text: string): string {
  return text.slice(0, longestText).replaceAll(/\p{Cc}/gu, '?')
}

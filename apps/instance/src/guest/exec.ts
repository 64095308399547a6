import { type AgentService, type ExecRequestSchema, type ExecResponse } from '@berth/proto/berth/guest/v1/guest_pb.ts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Client } from '@connectrpc/connect'
import type { ExecInput, ExecOutput } from '../domain/ports.ts'
import { asAgentError } from './errors.ts'

/** Largest piece an agent may send at once. */
const longestPiece = 1024 * 1024

/** Runs a command over an agent's session; leaving the loop ends the call, and with it the process. */
export async function* execOver(
  client: Client<typeof AgentService>,
  inputs: AsyncIterable<ExecInput>,
  signal: AbortSignal,
): AsyncGenerator<ExecOutput> {
  const ended = new AbortController()
  try {
    for await (const response of client.exec(requests(inputs), { signal: AbortSignal.any([signal, ended.signal]) })) {
      const output = toOutput(response)
      if (output) yield output
      if (output?.kind === 'exit') return
    }
  } catch (error) {
    throw asAgentError(error, signal)
  } finally {
    ended.abort()
  }
}

async function* requests(inputs: AsyncIterable<ExecInput>): AsyncGenerator<MessageInitShape<typeof ExecRequestSchema>> {
  for await (const input of inputs) yield { message: toMessage(input) }
}

function toMessage(input: ExecInput): NonNullable<MessageInitShape<typeof ExecRequestSchema>['message']> {
  switch (input.kind) {
    case 'start':
      return { case: 'start', value: input.start }
    case 'stdin':
      return { case: 'stdin', value: input.data }
    case 'stdin-end':
      return { case: 'stdinEnd', value: {} }
    case 'resize':
      return { case: 'resize', value: input.size }
    case 'signal':
      return { case: 'signal', value: input.signal }
  }
}

function toOutput({ message }: ExecResponse): ExecOutput | undefined {
  switch (message.case) {
    case 'started':
      return { kind: 'started', pid: message.value }
    case 'stdout':
    case 'stderr':
      return { kind: message.case, data: message.value.subarray(0, longestPiece) }
    case 'exit':
      return { kind: 'exit', code: message.value.code, signal: message.value.signal }
    default:
      return undefined
  }
}

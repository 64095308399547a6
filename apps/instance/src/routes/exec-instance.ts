import {
  type ExecInstanceRequest,
  type ExecInstanceResponse,
  ExecInstanceResponseSchema,
  type ExecStart,
} from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { invalidArgument } from '@berth/errors'
import { callerOf } from '@berth/rpc'
import { create } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import type { ExecInput, ExecOutput } from '../domain/ports.ts'
import { signalNumber } from '../domain/signals.ts'
import type { RouteContext } from './context.ts'
import { elsewhere } from './elsewhere.ts'

/** Runs a command in a guest, here or through the replica on its host. */
export async function* execInstance(
  ctx: RouteContext,
  requests: AsyncIterable<ExecInstanceRequest>,
  call: HandlerContext,
): AsyncGenerator<ExecInstanceResponse> {
  const reader = requests[Symbol.asyncIterator]()
  const first = await reader.next()
  const start = first.done ? undefined : first.value.message
  if (first.done || start?.case !== 'start') throw invalidArgument('START_MISSING', 'the first message must be start', { field: 'start' })
  const instance = await ctx.instances.get(callerOf(call).project, start.value.id)
  const other = await elsewhere(ctx, instance, call)
  if (other) {
    yield* other.client.execInstance(again(first.value, reader), { headers: other.headers, signal: call.signal })
    return
  }
  const agent = await ctx.guests.agent(instance, call.signal)
  for await (const output of agent.exec(inputs(start.value, reader), call.signal)) yield toResponse(output)
}

async function* again(first: ExecInstanceRequest, rest: AsyncIterator<ExecInstanceRequest>): AsyncGenerator<ExecInstanceRequest> {
  yield first
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}

async function* inputs(start: ExecStart, rest: AsyncIterator<ExecInstanceRequest>): AsyncGenerator<ExecInput> {
  const env = Object.entries(start.env).map(([name, value]) => `${name}=${value}`)
  const { command, user, workingDir, terminal, stdin } = start
  yield { kind: 'start', start: { command, env, user, workingDir, terminal, stdin } }
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield toInput(next.value)
}

function toInput({ message }: ExecInstanceRequest): ExecInput {
  switch (message.case) {
    case 'stdin':
      return { kind: 'stdin', data: message.value }
    case 'stdinEnd':
      return { kind: 'stdin-end' }
    case 'resize':
      return { kind: 'resize', size: message.value }
    case 'signal': {
      const signal = signalNumber(message.value)
      if (signal === undefined) throw invalidArgument('UNKNOWN_SIGNAL', `no signal “${message.value}”`, { field: 'signal' })
      return { kind: 'signal', signal }
    }
    default:
      throw invalidArgument('START_REPEATED', 'start comes once, first', { field: 'start' })
  }
}

function toResponse(output: ExecOutput): ExecInstanceResponse {
  switch (output.kind) {
    case 'started':
      return create(ExecInstanceResponseSchema, { message: { case: 'started', value: { pid: output.pid } } })
    case 'exit':
      return create(ExecInstanceResponseSchema, { message: { case: 'exit', value: { code: output.code, signal: output.signal } } })
    default:
      return create(ExecInstanceResponseSchema, { message: { case: output.kind, value: output.data as Uint8Array<ArrayBuffer> } })
  }
}

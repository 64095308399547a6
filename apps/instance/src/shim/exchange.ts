import { connect, type Socket } from 'node:net'
import { type ShimRequest, ShimRequestSchema, type ShimResponse, ShimResponseSchema } from '@berth/proto/berth/shim/v1/shim_pb.ts'
import { aborted, failedPrecondition, unavailable } from '@berth/errors'
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { frame, frames } from './frames.ts'

export type Command = NonNullable<MessageInitShape<typeof ShimRequestSchema>['command']>
export type Answer = ShimResponse['answer']

/** Time a shim has for one answer; it does nothing that takes long. */
const answerMs = 5_000

/**
 * Asks a shim one thing over a connection of its own and hands out its answers until `done`, the end of the connection, or the caller's.
 *
 * @param idleMs time between two answers; 0 has no bound (for what follows)
 * @throws Unavailable(`SHIM_UNREACHABLE`), Aborted(`STALE_EPOCH`), FailedPrecondition(what the shim says)
 */
export async function* ask(path: string, epoch: number, command: Command, signal: AbortSignal, idleMs = answerMs): AsyncGenerator<Answer> {
  const socket = await dial(path, signal)
  const abort = (): void => void socket.destroy(unavailable('SHIM_UNREACHABLE', 'the caller has gone'))
  signal.addEventListener('abort', abort, { once: true })
  if (idleMs > 0)
    socket.setTimeout(idleMs, () => socket.destroy(unavailable('SHIM_UNREACHABLE', `the shim did not answer within ${idleMs} ms`)))
  try {
    const request: ShimRequest = create(ShimRequestSchema, { id: 1n, epoch: BigInt(epoch), command })
    socket.write(frame(toBinary(ShimRequestSchema, request)))
    for await (const bytes of frames(socket)) {
      const { error, message, answer } = fromBinary(ShimResponseSchema, bytes)
      if (error) throw refusal(error, message)
      if (answer.case === 'done') return
      yield answer
    }
  } catch (error) {
    throw asUnreachable(error)
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}

/** The first answer of `ask`; undefined when there is none. */
export async function askOnce(path: string, epoch: number, command: Command, signal: AbortSignal): Promise<Answer | undefined> {
  for await (const answer of ask(path, epoch, command, signal)) return answer
  return undefined
}

function refusal(error: string, message: string): Error {
  const text = message || error
  return error === 'STALE_EPOCH' ? aborted(error, text) : failedPrecondition(error, text)
}

function asUnreachable(error: unknown): unknown {
  const known = error as { code?: string; reason?: string; message: string }
  return known.reason ? error : unavailable('SHIM_UNREACHABLE', `the shim's connection failed: ${known.message}`, { cause: error })
}

function dial(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = connect(path)
    socket.once('connect', () => {
      // Later errors reach the reader of the stream.
      socket.on('error', () => {})
      resolve(socket)
    })
    socket.once('error', (error) => reject(unavailable('SHIM_UNREACHABLE', `no shim listens: ${error.message}`, { cause: error })))
  })
}

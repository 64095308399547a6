import { type DescMessage, type DescMethodUnary, fromBinary, type Message } from '@bufbuild/protobuf'
import { Code, ConnectError, type UnaryRequest, type UnaryResponse } from '@connectrpc/connect'
import { type Channel, status as Status } from '@grpc/grpc-js'
import { toHeaders, toMetadata } from '../metadata.ts'
import { beginCall, errorOf, requestBytes } from './begin-call.ts'

/** One request, one answer. */
export function unaryCall<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  method: DescMethodUnary<I, O>,
  timeoutMs: number | undefined,
  request: UnaryRequest<I, O>,
): Promise<UnaryResponse<I, O>> {
  return new Promise((resolve, reject) => {
    const { call, forget } = beginCall(channel, method, timeoutMs, request.signal)
    let header = new Headers()
    let answer: Buffer | undefined
    call.start(toMetadata(request.header), {
      onReceiveMetadata(metadata) {
        header = toHeaders(metadata)
      },
      onReceiveMessage(message: Buffer) {
        if (answer) call.cancelWithStatus(Status.UNIMPLEMENTED, 'more than one answer to a unary call')
        answer = message
      },
      onReceiveStatus(end) {
        forget()
        const trailer = toHeaders(end.metadata)
        if (end.code !== Status.OK) return reject(errorOf(end, trailer))
        if (!answer) return reject(new ConnectError('no answer to a unary call', Code.Unimplemented))
        try {
          resolve({ stream: false, service: method.parent, method, header, trailer, message: fromBinary(method.output, answer) })
        } catch (error) {
          reject(ConnectError.from(error, Code.Internal))
        }
      },
    })
    call.sendMessageWithContext({}, requestBytes(method, request.message as Message))
    call.halfClose()
    call.startRead()
  })
}

import { status as Status, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js'
import { Code, ConnectError } from '@connectrpc/connect'
import { BerthError, codeOfNumber } from '@berth/errors'
import { toConnectError } from '../errors/to-connect.ts'
import type { Limits } from './limits.ts'
import { grpcStatus } from './messages.ts'

const detailsKey = 'grpc-status-details-bin'

/**
 * Gives the errors that grpc-js sends by itself (message too large, deadline, compression) their ErrorInfo, as all others have.
 * It wraps the innermost call, since grpc-js does not send those through interceptors.
 */
export function bareStatusInterceptor(limits: Limits): ServerInterceptor {
  return (_method, call) => {
    const send = call.sendStatus.bind(call)
    call.sendStatus = (sent) => {
      if (sent.code === Status.OK || (sent.metadata && sent.metadata.get(detailsKey).length > 0)) return send(sent)
      send({ ...sent, ...grpcStatus(typed(sent.code ?? Code.Unknown, sent.details ?? '', limits)) })
    }
    return new ServerInterceptingCall(call)
  }
}

function typed(code: number, details: string, limits: Limits): ConnectError {
  if (code === Status.RESOURCE_EXHAUSTED) {
    const metadata = { limit_bytes: String(limits.receiveBytes) }
    const message = `a message may have ${limits.receiveBytes} bytes at most`
    return toConnectError(new BerthError('RESOURCE_EXHAUSTED', 'MESSAGE_TOO_LARGE', message, { metadata }), '')
  }
  return toConnectError(new BerthError(codeOfNumber(code), codeOfNumber(code), details), '')
}

import type { ServerSurfaceCall } from '@grpc/grpc-js/build/src/server-call.js'
import type { DescMethod } from '@bufbuild/protobuf'
import { Code, ConnectError, createContextValues, type HandlerContext } from '@connectrpc/connect'
import { toHeaders } from '../metadata.ts'

export type CallContext = HandlerContext & {
  /** Time of the call from now on, in milliseconds; over at once when it is 0 or less. */
  limitTime(timeoutMs: number): void
  abort(reason: unknown): void
  /** Forgets timers and listeners, and ends whatever still listens to the call's signal. */
  end(): void
}

// One for all calls: making an error with its stack costs more than the rest of a small call's end.
const ended = new ConnectError('the call has ended', Code.Canceled)

/** Time the client gave, in milliseconds from now; undefined when it gave none. */
export function askedTimeoutMs(call: Pick<ServerSurfaceCall, 'getDeadline'>): number | undefined {
  const deadline = Number(call.getDeadline())
  return deadline === Number.POSITIVE_INFINITY ? undefined : deadline - Date.now()
}

/** The context that routes see. Its signal fires at the deadline, when the client goes away, on shutdown, and when the call has ended. */
export function callContext(call: ServerSurfaceCall, method: DescMethod, shutdownSignal: AbortSignal): CallContext {
  const controller = new AbortController()
  const abort = (reason: unknown): void => {
    if (!controller.signal.aborted) controller.abort(reason)
  }
  const onShutdown = (): void => abort(shutdownSignal.reason)
  const onCancelled = (): void => abort(new ConnectError('the client cancelled the call', Code.Canceled))
  let deadline: number | undefined
  let timer: NodeJS.Timeout | undefined
  call.on('cancelled', onCancelled)
  shutdownSignal.addEventListener('abort', onShutdown)
  if (shutdownSignal.aborted) onShutdown()
  if (call.cancelled) onCancelled()
  return {
    service: method.parent,
    method,
    protocolName: 'grpc',
    requestMethod: 'POST',
    url: `http://grpc/${method.parent.typeName}/${method.name}`,
    requestHeader: toHeaders(call.metadata),
    responseHeader: new Headers(),
    responseTrailer: new Headers(),
    values: createContextValues(),
    signal: controller.signal,
    timeoutMs: () => (deadline === undefined ? undefined : deadline - Date.now()),
    limitTime(timeoutMs) {
      deadline = Date.now() + timeoutMs
      clearTimeout(timer)
      const onTime = (): void => abort(new ConnectError('the time of the call is over', Code.DeadlineExceeded))
      if (timeoutMs <= 0) onTime()
      // Timers of Node hold 31 bits.
      else if (timeoutMs < 2 ** 31) timer = setTimeout(onTime, timeoutMs)
    },
    abort,
    end() {
      clearTimeout(timer)
      shutdownSignal.removeEventListener('abort', onShutdown)
      abort(ended)
    },
  }
}

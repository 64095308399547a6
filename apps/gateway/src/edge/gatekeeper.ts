import {
  admit,
  type callRecord,
  type Gate,
  itemsUntilAborted,
  requestIdHeader,
  requestIdKey,
  toConnectError,
  validateMessage,
} from '@berth/rpc'
import type { DescMessage, DescMethod, Message } from '@bufbuild/protobuf'
import type { ConnectError, ContextValues, HandlerContext, Interceptor } from '@connectrpc/connect'

export type GatekeeperOptions = {
  gates: Gate[]
  /** Services that the gateway answers itself, by type name; the requests of all others are checked by their owners. */
  own: Set<string>
  record: ReturnType<typeof callRecord>
  /** Ends streams when the gateway begins to close. */
  drainSignal: AbortSignal
}

/** The same order of checks as on the services' own ports, for all that comes in at the edge; and the same errors out. */
export type Gatekeeper = {
  /** Request id, identity, permission: before a body is read. */
  gate(ctx: HandlerContext): Promise<void>
  /** Validation, error mapping, the record of the call: around the route. */
  interceptor: Interceptor
}

export function makeGatekeeper({ gates, own, record, drainSignal }: GatekeeperOptions): Gatekeeper {
  const failed = (method: DescMethod, values: ContextValues, startMs: number, error: unknown): ConnectError => {
    const requestId = values.get(requestIdKey)
    const sent = toConnectError(error, requestId)
    record({ method, requestId, durationMs: performance.now() - startMs, sent, error })
    return sent
  }
  return {
    async gate({ method, requestHeader: header, responseHeader, values }) {
      const startMs = performance.now()
      try {
        await admit(gates, { method, header, values })
      } catch (error) {
        throw failed(method, values, startMs, error)
      } finally {
        responseHeader.set(requestIdHeader, values.get(requestIdKey))
      }
    },
    interceptor: (next) => async (request) => {
      const { method, contextValues: values } = request
      const startMs = performance.now()
      const done = () => record({ method, requestId: values.get(requestIdKey), durationMs: performance.now() - startMs })
      const onFailure = (error: unknown) => failed(method, values, startMs, error)
      try {
        const response = await next(own.has(request.service.typeName) ? checked(request) : request)
        if (response.stream) return { ...response, message: watched(itemsUntilAborted(response.message, drainSignal), done, onFailure) }
        done()
        return response
      } catch (error) {
        throw onFailure(error)
      }
    },
  }
}

type AnyRequest = Parameters<ReturnType<Interceptor>>[0]

function checked(request: AnyRequest): AnyRequest {
  const schema: DescMessage = request.method.input
  if (!request.stream) {
    validateMessage(schema, request.message)
    return request
  }
  return { ...request, message: checkedEach(schema, request.message) } as AnyRequest
}

async function* checkedEach(schema: DescMessage, messages: AsyncIterable<Message>): AsyncGenerator<Message> {
  for await (const message of messages) {
    validateMessage(schema, message)
    yield message
  }
}

async function* watched<T>(messages: AsyncIterable<T>, done: () => void, failed: (error: unknown) => Error): AsyncGenerator<T> {
  try {
    yield* messages
    done()
  } catch (error) {
    throw failed(error)
  }
}

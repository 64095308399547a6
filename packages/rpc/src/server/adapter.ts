import { type DescService, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import type { MethodDefinition, Server, UntypedServiceImplementation } from '@grpc/grpc-js'
import { type Answer, answerOnce, answerStream, type OnceCall, type StreamCall } from './handlers.ts'
import type { Route } from './messages.ts'
import type { Pipeline } from './pipeline.ts'

/** One service with its routes, as `serve` takes it; made by `service`. */
export type ServiceEntry = { desc: DescService; impl: Record<string, unknown> }

/** Pairs a service with the routes that implement it; every method must be there. */
export function service<T extends DescService>(desc: T, impl: ServiceImpl<T>): ServiceEntry {
  return { desc, impl: impl as Record<string, unknown> }
}

/** Serves Connect's routes on a grpc-js server. Throws when a method has no route. */
export function addService(server: Server, { desc, impl }: ServiceEntry, pipeline: Pipeline): void {
  const definition: Record<string, MethodDefinition<Buffer, Message>> = {}
  const handlers: UntypedServiceImplementation = {}
  for (const method of desc.methods) {
    const found = impl[method.localName]
    if (typeof found !== 'function') throw new Error(`${desc.typeName}.${method.name} has no route`)
    const route = found.bind(impl) as Route
    const requestStream = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming'
    const responseStream = method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming'
    definition[method.localName] = {
      path: `/${desc.typeName}/${method.name}`,
      requestStream,
      responseStream,
      // Requests are read behind the gates, so that nobody without a credential reaches the decoder.
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (message: Message) => buffer(toBinary(method.output, message)),
      requestSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
    }
    const once = answerOnce(method, route, pipeline)
    const stream = answerStream(method, route, pipeline)
    handlers[method.localName] = responseStream
      ? (call: StreamCall) => void stream(call)
      : (call: OnceCall, answer: Answer) => void once(call, answer)
  }
  server.addService(definition, handlers)
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

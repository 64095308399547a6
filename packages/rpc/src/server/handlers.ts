import type { DescMethod, Message } from '@bufbuild/protobuf'
import type { Metadata, ServerDuplexStream, ServerReadableStream, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js'
import { admit } from '../gates/gate.ts'
import { toMetadata } from '../metadata.ts'
import { askedTimeoutMs, type CallContext, callContext } from './call-context.ts'
import { decodeRequest } from './decode.ts'
import { unaryTimeoutMs } from './limits.ts'
import { type GrpcStatus, grpcStatus, type Output, requestMessages, type Route, whole } from './messages.ts'
import { echoRequestId, type Pipeline, recordDone, recordFailed } from './pipeline.ts'
import { itemsUntilAborted, untilAborted } from './until-aborted.ts'

export type OnceCall = ServerUnaryCall<Buffer, Message> | ServerReadableStream<Buffer, Message>
export type StreamCall = ServerWritableStream<Buffer, Message> | ServerDuplexStream<Buffer, Message>
export type Answer = (error: GrpcStatus | null, message?: Message | null, trailer?: Metadata) => void

/** Serves a method that answers once. */
export function answerOnce(method: DescMethod, route: Route, pipeline: Pipeline): (call: OnceCall, answer: Answer) => Promise<void> {
  return async (call, answer) => {
    const startMs = performance.now()
    const ctx = callContext(call, method, method.methodKind === 'unary' ? pipeline.forceSignal : pipeline.drainSignal)
    try {
      const request = await open(call, ctx, pipeline)
      const output = await untilAborted(Promise.resolve(route(request as never, ctx) as Promise<Output>), ctx.signal)
      call.sendMetadata(toMetadata(ctx.responseHeader))
      answer(null, whole(method, output), toMetadata(ctx.responseTrailer))
      recordDone(pipeline, ctx, startMs)
    } catch (error) {
      answer(grpcStatus(recordFailed(pipeline, ctx, startMs, error)))
    } finally {
      ctx.end()
    }
  }
}

/** Serves a method that answers with a stream. */
export function answerStream(method: DescMethod, route: Route, pipeline: Pipeline): (call: StreamCall) => Promise<void> {
  return async (call) => {
    const startMs = performance.now()
    const ctx = callContext(call, method, pipeline.drainSignal)
    try {
      const request = await open(call, ctx, pipeline)
      await send(call, ctx, route(request as never, ctx) as AsyncIterable<Output>)
      call.end(toMetadata(ctx.responseTrailer))
      recordDone(pipeline, ctx, startMs)
    } catch (error) {
      call.emit('error', grpcStatus(recordFailed(pipeline, ctx, startMs, error)))
    } finally {
      ctx.end()
    }
  }
}

async function open(call: OnceCall | StreamCall, ctx: CallContext, pipeline: Pipeline): Promise<Message | AsyncIterable<Message>> {
  const { method } = ctx
  await admit(pipeline.gates, { method, header: ctx.requestHeader, values: ctx.values })
  echoRequestId(ctx)
  const askedMs = askedTimeoutMs(call)
  if (method.methodKind !== 'unary' && askedMs !== undefined) ctx.limitTime(askedMs)
  if (!('request' in call)) return requestMessages(call, method, pipeline.limits, ctx.signal)
  const request = decodeRequest(method, pipeline.limits, call.request)
  if (method.methodKind === 'unary') ctx.limitTime(unaryTimeoutMs(pipeline.limits, askedMs, request))
  return request
}

async function send(call: StreamCall, ctx: CallContext, outputs: AsyncIterable<Output>): Promise<void> {
  let first = true
  for await (const output of itemsUntilAborted(outputs, ctx.signal)) {
    if (first) call.sendMetadata(toMetadata(ctx.responseHeader))
    first = false
    if (!call.write(whole(ctx.method, output))) await drained(call, ctx.signal)
  }
  if (first) call.sendMetadata(toMetadata(ctx.responseHeader))
}

function drained(call: StreamCall, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  call.once('drain', resolve)
  return untilAborted(promise, signal).finally(() => call.off('drain', resolve))
}

import { type DescMessage, type DescMethodStreaming, fromBinary, type Message, type MessageShape } from '@bufbuild/protobuf'
import { ConnectError, type StreamRequest, type StreamResponse } from '@connectrpc/connect'
import { type Channel, status as Status } from '@grpc/grpc-js'
import { toHeaders, toMetadata } from '../metadata.ts'
import { beginCall, type EndStatus, errorOf, type GrpcCall, requestBytes } from './begin-call.ts'

/** A stream in either direction or both; answers are read as they are asked for. */
export async function streamCall<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  method: DescMethodStreaming<I, O>,
  timeoutMs: number | undefined,
  request: StreamRequest<I, O>,
): Promise<StreamResponse<I, O>> {
  const { call, forget } = beginCall(channel, method, timeoutMs, request.signal)
  const header = Promise.withResolvers<Headers>()
  const trailer = new Headers()
  const inbox = new Inbox(call)
  header.promise.catch(() => undefined)
  call.start(toMetadata(request.header), {
    onReceiveMetadata: (metadata) => header.resolve(toHeaders(metadata)),
    onReceiveMessage: (message: Buffer) => inbox.put(message),
    onReceiveStatus(end) {
      forget()
      toHeaders(end.metadata, trailer)
      inbox.finish(end)
      if (end.code === Status.OK) header.resolve(new Headers())
      else header.reject(errorOf(end, trailer))
    },
  })
  void upload(call, method, request.message, inbox)
  // One read ahead: headers come with the first message.
  inbox.read()
  return { stream: true, service: method.parent, method, header: await header.promise, trailer, message: answers(method, inbox, trailer) }
}

/** Messages that came and how the call ended; asks grpc-js for one message at a time, so that a slow reader slows the sender. */
class Inbox {
  readonly #call: GrpcCall
  readonly #messages: Buffer[] = []
  #reading = false
  #wake: (() => void) | undefined
  end: EndStatus | undefined

  constructor(call: GrpcCall) {
    this.#call = call
  }

  read(): void {
    if (this.#reading || this.end) return
    this.#reading = true
    this.#call.startRead()
  }

  put(message: Buffer): void {
    this.#reading = false
    this.#messages.push(message)
    this.#wake?.()
  }

  finish(end: EndStatus): void {
    this.end = end
    this.#wake?.()
  }

  /** The next message; undefined when the call has ended. */
  async take(): Promise<Buffer | undefined> {
    while (this.#messages.length === 0 && !this.end) {
      this.read()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#messages.shift()
  }

  cancel(code: number, text: string): void {
    if (!this.end) this.#call.cancelWithStatus(code, text)
  }
}

async function* answers<O extends DescMessage>(
  method: DescMethodStreaming<DescMessage, O>,
  inbox: Inbox,
  trailer: Headers,
): AsyncGenerator<MessageShape<O>> {
  try {
    for (let message = await inbox.take(); message; message = await inbox.take()) yield fromBinary(method.output, message)
    if (inbox.end && inbox.end.code !== Status.OK) throw errorOf(inbox.end, trailer)
  } finally {
    inbox.cancel(Status.CANCELLED, 'nobody reads the answers any more')
  }
}

async function upload(call: GrpcCall, method: DescMethodStreaming, messages: AsyncIterable<unknown>, inbox: Inbox): Promise<void> {
  try {
    for await (const message of messages) {
      if (inbox.end) return
      // Waiting for each write is what makes a slow server slow the client down.
      await new Promise<void>((resolve) =>
        call.sendMessageWithContext({ callback: () => resolve() }, requestBytes(method, message as Message)),
      )
    }
    call.halfClose()
  } catch (error) {
    inbox.cancel(Status.CANCELLED, ConnectError.from(error).rawMessage)
  }
}

import { dataLoss } from '@berth/errors'

/** Longest message of the shim's protocol in bytes. */
export const longestFrame = 1024 * 1024

/** One message on the wire: its length in four bytes, big-endian, then itself. */
export function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(message.length)
  return Buffer.concat([head, message])
}

/** Cuts a byte stream into messages. A rest that is not whole is dropped: a writer died in the middle of it. */
export async function* frames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk])
    for (;;) {
      const whole = take(held)
      if (!whole) break
      yield whole.message
      held = whole.rest
    }
  }
}

/** The messages of a buffer, as `frames`. */
export function framesOf(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = []
  let rest = bytes
  for (let whole = take(rest); whole; whole = take(rest)) {
    messages.push(whole.message)
    rest = whole.rest
  }
  return messages
}

function take(held: Buffer): { message: Buffer; rest: Buffer } | undefined {
  if (held.length < 4) return undefined
  const length = held.readUInt32BE()
  if (length > longestFrame) throw dataLoss('FRAME_TOO_LONG', `a message of ${length} bytes is longer than the ${longestFrame} allowed`)
  if (held.length < 4 + length) return undefined
  return { message: held.subarray(4, 4 + length), rest: held.subarray(4 + length) }
}

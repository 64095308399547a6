import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { frame, frames, framesOf } from './frames.ts'

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test.each([1, 3, 7, 4096])('messages come back whole however the stream is cut (%i bytes at a time)', async (size) => {
  const messages = [0, 1, 5, 300, 4097].map((length) => randomBytes(length))
  const bytes = Buffer.concat(messages.map((message) => frame(message)))
  const found: Buffer[] = []
  for await (const message of frames(pieces(bytes, size))) found.push(message)
  expect(found.map((message) => message.toString('hex'))).toEqual(messages.map((message) => message.toString('hex')))
  expect(framesOf(bytes)).toHaveLength(messages.length)
})

test('a message that was cut off is not there', () => {
  const bytes = Buffer.concat([frame(Buffer.from('whole')), frame(Buffer.from('half'))])
  expect(framesOf(bytes.subarray(0, -1)).map(String)).toEqual(['whole'])
})

test('a length beyond the bound is refused before memory is spent on it', () => {
  expect(() => framesOf(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow(/longer/)
})

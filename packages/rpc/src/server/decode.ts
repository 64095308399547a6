import { invalidArgument } from '@berth/errors'
import { type DescMethod, fromBinary, type Message } from '@bufbuild/protobuf'
import { validateMessage } from '../gates/validation.ts'
import { type Limits, requireSize } from './limits.ts'

/**
 * Reads and checks one request message.
 *
 * @throws RESOURCE_EXHAUSTED (`MESSAGE_TOO_LARGE`), INVALID_ARGUMENT (`MALFORMED_MESSAGE` | `VALIDATION_FAILED`)
 */
export function decodeRequest(method: DescMethod, limits: Limits, raw: Buffer): Message {
  requireSize(limits, raw.byteLength)
  const message = parse(method, raw)
  validateMessage(method.input, message)
  return message
}

function parse(method: DescMethod, raw: Buffer): Message {
  try {
    return fromBinary(method.input, raw)
  } catch (cause) {
    throw invalidArgument('MALFORMED_MESSAGE', `the bytes are no ${method.input.typeName}`, { cause })
  }
}

import { invalidArgument, type Violation } from '@berth/errors'
import { create, type DescMessage, type DescService, type Message } from '@bufbuild/protobuf'
import { pathToString } from '@bufbuild/protobuf/reflect'
import { createValidator } from '@bufbuild/protovalidate'

const validator = createValidator()

/**
 * Checks a request against the rules in its proto.
 *
 * @throws INVALID_ARGUMENT (`VALIDATION_FAILED`) with one violation per broken rule, by proto path
 */
export function validateMessage(schema: DescMessage, message: Message): void {
  const result = validator.validate(schema, message)
  if (result.kind === 'valid') return
  if (result.kind === 'error') throw result.error
  const violations: Violation[] = result.violations.map(({ field, message: description }) => ({ field: pathToString(field), description }))
  const text = violations.map(({ field, description }) => (field ? `${field}: ${description}` : description)).join('; ')
  throw invalidArgument('VALIDATION_FAILED', text, { violations })
}

/** A service that begins has its calls and its own work to do first. */
const warmAfterMs = 5_000
const pauseMs = 5

/**
 * Compiles the rules of all requests of these services, one after the other once the start is over, so that hardly any first caller waits for it:
 * all at once they were a quarter of what a start costs (measured). Until then a call compiles the rules of its own request.
 */
export function warmValidation(services: readonly DescService[]): Disposable {
  const inputs = [...new Set(services.flatMap(({ methods }) => methods.map(({ input }) => input)))]
  const next = (): void => {
    const input = inputs.shift()
    if (!input) return
    validator.validate(input, create(input))
    timer = setTimeout(next, pauseMs).unref()
  }
  let timer = setTimeout(next, warmAfterMs).unref()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

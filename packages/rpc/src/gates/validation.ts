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

/** Compiles the rules of all requests of these services, so that the first caller does not wait for it. */
export function warmValidation(services: DescService[]): void {
  for (const service of services) {
    for (const method of service.methods) validator.validate(method.input, create(method.input))
  }
}

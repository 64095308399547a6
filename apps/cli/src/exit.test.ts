import { notFound, unavailable } from '@berth/errors'
import { expect, it } from 'vitest'
import { describeError, Exit, exitCodeOf, UsageError } from './exit.ts'

it('RPC errors exit with 64 plus the number of their code', () => {
  expect(exitCodeOf(notFound('INSTANCE_NOT_FOUND', 'no instance “x”'))).toBe(69)
  expect(exitCodeOf(unavailable('HOST_UNREACHABLE', 'gone'))).toBe(78)
})

it('usage is 2, Ctrl-C 130, anything else 1, and a code that was chosen stays', () => {
  expect(exitCodeOf(new UsageError('bad'))).toBe(2)
  expect(exitCodeOf(new Error('boom'), true)).toBe(130)
  expect(exitCodeOf(new Error('boom'))).toBe(1)
  expect(exitCodeOf(new Exit(127), true)).toBe(127)
})

it('a person reads the message with its reason, and the fields', () => {
  expect(describeError(notFound('INSTANCE_NOT_FOUND', 'no instance “x”', { field: 'id' }))).toContain(
    'no instance “x” (INSTANCE_NOT_FOUND)',
  )
})

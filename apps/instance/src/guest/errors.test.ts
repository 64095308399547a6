import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { asAgentError } from './errors.ts'

const idle = new AbortController().signal
const gone = AbortSignal.abort()

test.each<[string, ConnectError, AbortSignal, string, string]>([
  [
    'a reason of its interface stands',
    new ConnectError('COMMAND_NOT_FOUND: no “x”', Code.NotFound),
    idle,
    'NOT_FOUND',
    'COMMAND_NOT_FOUND',
  ],
  ['a reason it made up does not', new ConnectError('ROOT_GRANTED: yes', Code.NotFound), idle, 'UNAVAILABLE', 'AGENT_LOST'],
  ['nor a code it may not use', new ConnectError('USER_NOT_FOUND: no', Code.Unauthenticated), idle, 'UNAVAILABLE', 'AGENT_LOST'],
  ['a cut by the caller is the caller\u2019s', new ConnectError('x', Code.Canceled), gone, 'CANCELLED', 'CANCELLED'],
  ['a cut by nobody is a lost agent', new ConnectError('x', Code.Canceled), idle, 'UNAVAILABLE', 'AGENT_LOST'],
])('%s', (_, error, signal, code, reason) => {
  expect(asAgentError(error, signal)).toMatchObject({ code, reason })
})

test('what a guest writes is short and harmless', () => {
  const { message } = asAgentError(new ConnectError(`USER_NOT_FOUND: \u001b[2J${'x'.repeat(5000)}`, Code.FailedPrecondition), idle)
  expect(message).toMatch(/^\?\[2Jx+$/)
  expect(message.length).toBe(1024)
})

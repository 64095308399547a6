import { randomUUID } from 'node:crypto'
import { requestIdKey } from '../caller.ts'
import type { Gate } from './gate.ts'

export const requestIdHeader = 'x-request-id'
const acceptable = /^[\w.:-]{1,128}$/

/** Takes the client's `x-request-id` when it is short and plain, else makes one. */
export function requestIdGate(): Gate {
  return ({ header, values }) => {
    const given = header.get(requestIdHeader)
    values.set(requestIdKey, given && acceptable.test(given) ? given : randomUUID())
  }
}

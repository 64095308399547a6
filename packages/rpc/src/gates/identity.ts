import { unauthenticated } from '@berth/errors'
import { type Caller, callerKey } from '../caller.ts'
import type { Gate } from './gate.ts'
import { policyOf } from './policy.ts'

/** Says who a credential belongs to; throws UNAUTHENTICATED when it holds not, UNAVAILABLE when that cannot be told. */
export type Authenticator = { verify(credential: string): Promise<Caller> }

/**
 * Finds out who calls, for all methods but the open ones.
 *
 * @throws UNAUTHENTICATED (`NO_CREDENTIAL` | whatever the authenticator says)
 */
export function identityGate(authenticator: Authenticator): Gate {
  return async ({ method, header, values }) => {
    if (policyOf(method).kind === 'open') return
    values.set(callerKey, await authenticator.verify(credentialOf(header)))
  }
}

function credentialOf(header: Headers): string {
  const value = header.get('authorization')
  if (!value) throw unauthenticated('NO_CREDENTIAL', 'no credential: send the header “authorization: Bearer …”')
  const match = /^bearer +(\S+)$/i.exec(value)
  if (!match?.[1]) throw unauthenticated('BAD_TOKEN', 'the authorization header is not of the form “Bearer …”')
  return match[1]
}

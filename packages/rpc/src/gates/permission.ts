import { permissionDenied } from '@berth/errors'
import { callerKey } from '../caller.ts'
import type { Gate } from './gate.ts'
import { policyOf } from './policy.ts'

/** Permissions of the public plane that each role holds; `*` is all of them. */
const roles: Record<string, readonly string[]> = { admin: ['*'] }

/**
 * Lets only those through that hold the method's permission on its plane; everything else is refused.
 *
 * @throws PERMISSION_DENIED (`HOST_PLANE` | `NOT_PERMITTED`)
 */
export function permissionGate(): Gate {
  return ({ method, values }) => {
    const policy = policyOf(method)
    if (policy.kind !== 'granted') return
    const caller = values.get(callerKey)
    if (policy.plane === 'host') {
      if (caller?.plane === 'host') return
      throw permissionDenied('HOST_PLANE', 'only services of a host may call this', { metadata: { permission: policy.permission } })
    }
    if (caller?.roles.some((role) => holds(role, policy.permission))) return
    throw permissionDenied('NOT_PERMITTED', `the permission ${policy.permission} is needed`, {
      metadata: { permission: policy.permission },
    })
  }
}

function holds(role: string, permission: string): boolean {
  const granted = Object.hasOwn(roles, role) ? roles[role] : undefined
  return granted !== undefined && (granted.includes('*') || granted.includes(permission))
}

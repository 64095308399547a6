import { Plane, permission, plane } from '@berth/proto/berth/common/v1/options_pb.ts'
import { Health } from '@berth/proto/grpc/health/v1/health_pb.ts'
import { ServerReflection } from '@berth/proto/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '@berth/proto/grpc/reflection/v1alpha/reflection_pb.ts'
import { type DescMethod, type DescService, getOption } from '@bufbuild/protobuf'

/** Who may call a method: everybody, everybody with an identity, or who holds the permission on its plane. */
export type Policy = { kind: 'open' } | { kind: 'identified' } | { kind: 'granted'; permission: string; plane: 'public' | 'host' }

const policies = new WeakMap<DescMethod, Policy>()

/** Policy of a method, from its options. Throws when it declares no permission or no plane: such a service must not start. */
export function policyOf(method: DescMethod): Policy {
  const known = policies.get(method)
  if (known) return known
  const policy = readPolicy(method)
  policies.set(method, policy)
  return policy
}

/** Throws, naming all of them, when a method of these services says not who may call it. */
export function requirePolicies(services: DescService[]): void {
  const problems = services.flatMap((service) => service.methods.flatMap(problemOf))
  if (problems.length > 0) throw new Error(`methods without a policy: ${problems.join('; ')}`)
}

function problemOf(method: DescMethod): string[] {
  try {
    policyOf(method)
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}

function readPolicy(method: DescMethod): Policy {
  const service = method.parent.typeName
  if (service === Health.typeName) return { kind: 'open' }
  if (service === ServerReflection.typeName || service === ServerReflectionAlpha.typeName) return { kind: 'identified' }
  const needed = getOption(method, permission)
  const reach = getOption(method, plane)
  if (!needed) throw new Error(`${service}.${method.name} declares no permission`)
  if (reach !== Plane.PUBLIC && reach !== Plane.HOST) throw new Error(`${service}.${method.name} declares no plane`)
  return { kind: 'granted', permission: needed, plane: reach === Plane.HOST ? 'host' : 'public' }
}

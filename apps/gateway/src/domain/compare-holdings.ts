import { type Finding, FindingSchema, FindingSide, type Holding, type HoldingOwner } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { create } from '@bufbuild/protobuf'

/** What services have for each other's resources. */
export type Ledger = { holdings: Holding[]; owners: HoldingOwner[] }

/**
 * Compares what services have for resources of others with those resources: what is held for nobody, and what somebody lacks. What is held for a
 * host itself is nobody's.
 */
export function compareHoldings({ holdings, owners }: Ledger): Finding[] {
  const known = new Set(owners.map(({ id }) => id))
  const held = new Set(holdings.map(keyOf))
  const orphans = holdings
    .filter(({ ownerId }) => !known.has(ownerId) && !ownerId.startsWith('hst_'))
    .map((holding) => finding(FindingSide.HOST_ONLY, holding, `is held for ${holding.ownerId}, which does not exist`))
  const missing = owners.flatMap(({ id, expected }) =>
    expected
      .filter((holding) => !held.has(keyOf({ ...holding, ownerId: id })))
      .map((holding) => finding(FindingSide.DATABASE_ONLY, { ...holding, ownerId: id }, `is not held for ${id}`)),
  )
  return [...orphans, ...missing]
}

/** What both looks found: work that goes on meanwhile looks like disagreement for a moment. */
export function foundTwice(first: readonly Finding[], second: readonly Finding[]): Finding[] {
  const seen = new Set(first.map(identityOf))
  return second.filter((one) => seen.has(identityOf(one)))
}

function finding(side: FindingSide, { service, ownerId, slot, resourceId }: Omit<Holding, '$typeName'>, what: string): Finding {
  const name = `${ownerId}/${slot}`
  return create(FindingSchema, { service, side, kind: 'grant', name, resourceId: resourceId || ownerId, message: `${slot} ${what}` })
}

function keyOf({ service, ownerId, slot }: Pick<Holding, 'service' | 'ownerId' | 'slot'>): string {
  return `${service} ${ownerId} ${slot}`
}

function identityOf({ service, side, kind, name, resourceId }: Finding): string {
  return JSON.stringify([service, side, kind, name, resourceId])
}

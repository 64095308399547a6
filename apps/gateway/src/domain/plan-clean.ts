import { type Finding, FindingSide, type Removal, RemovalOutcome, RemovalSchema } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { create } from '@bufbuild/protobuf'

/** Service whose VMs use what all others have. */
export const vmService = 'instance'

/** What a clean-up is about: whom to ask about what, and what is left as it is without asking. */
export type CleanScope = { asked: Map<string, Finding[]>; kept: Removal[] }

/**
 * Sorts what an audit found by the service that has it.
 *
 * @param named only these; empty is all that is on the host alone
 */
export function cleanScope(findings: readonly Finding[], named: readonly Finding[]): CleanScope {
  const orphans = new Map(findings.filter(({ side }) => side === FindingSide.HOST_ONLY).map((finding) => [keyOf(finding), finding]))
  const wanted = named.length === 0 ? [...orphans.values()] : [...new Map(named.map((finding) => [keyOf(finding), finding])).values()]
  const scope: CleanScope = { asked: new Map(), kept: [] }
  for (const finding of wanted) {
    const orphan = orphans.get(keyOf(finding))
    if (!orphan) scope.kept.push(kept(finding, 'the audit does not find it on the host alone'))
    else if (orphan.kind === 'grant') scope.kept.push(kept(orphan, 'a row holds it: only its owner gives it back'))
    else scope.asked.set(orphan.service, [...(scope.asked.get(orphan.service) ?? []), orphan])
  }
  return scope
}

/**
 * While VMs run that no instance has and that neither are to end nor have ended, what other services would remove may be theirs: it is kept.
 *
 * @param findings what the audit found: also of VMs that the clean-up is not about
 */
export function spareRunning(findings: readonly Finding[], removals: readonly Removal[]): Removal[] {
  const ending = ({ outcome }: Removal) => outcome === RemovalOutcome.PLANNED || outcome === RemovalOutcome.REMOVED
  const ended = new Set(removals.filter(ending).flatMap(({ finding }) => (finding ? [keyOf(finding)] : [])))
  const running = findings.filter(
    (finding) =>
      finding.side === FindingSide.HOST_ONLY && finding.service === vmService && finding.kind === 'process' && !ended.has(keyOf(finding)),
  )
  if (running.length === 0) return [...removals]
  const names = running.map(({ name }) => name).join(', ')
  return removals.map((removal) => {
    if (!isPlanned(removal) || !removal.finding || removal.finding.service === vmService) return removal
    return kept(removal.finding, `it may be of a VM that runs and that no instance has: ${names}`)
  })
}

/** Whether it is to go and has not been tried. */
export function isPlanned({ outcome }: Removal): boolean {
  return outcome === RemovalOutcome.PLANNED
}

/** Those that are to go. */
export function plannedOf(removals: readonly Removal[]): Finding[] {
  return removals.filter(isPlanned).flatMap(({ finding }) => finding ?? [])
}

/** What could not be removed. */
export function failed(finding: Finding, message: string): Removal {
  return create(RemovalSchema, { finding, outcome: RemovalOutcome.FAILED, message })
}

function kept(finding: Finding, message: string): Removal {
  return create(RemovalSchema, { finding, outcome: RemovalOutcome.KEPT, message })
}

const keyOf = ({ service, kind, name }: Finding): string => JSON.stringify([service, kind, name])

import { checkRemovals, checkScope } from '@berth/controller/audit/removal-limit'
import { isBerthError } from '@berth/errors'
import type { AuditHostResponse, CleanHostRequest, CleanHostResponse, Finding, Removal } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { cleanScope, failed, isPlanned, plannedOf, spareRunning, vmService } from '../domain/plan-clean.ts'

/** Asks one service to clean up what is its own. */
export type AskToClean = (
  service: string,
  request: Pick<CleanHostRequest, 'findings' | 'maxRemovals' | 'validateOnly'>,
) => Promise<CleanHostResponse>

/**
 * The clean-up of a host over all services: nothing is removed before all have said what they would, and all of it together is within the bound; then
 * VMs go first, and the rest only when none is left that could use it.
 *
 * @throws FailedPrecondition(`TOO_MANY_REMOVALS`) and what a service refuses to plan for: then nothing was removed
 */
export async function cleanHost(
  { findings: named, maxRemovals, validateOnly }: Pick<CleanHostRequest, 'findings' | 'maxRemovals' | 'validateOnly'>,
  audit: () => Promise<Pick<AuditHostResponse, 'findings' | 'host'>>,
  ask: AskToClean,
): Promise<{ host: string; removals: Removal[] }> {
  const { findings, host } = await audit()
  const { asked, kept } = cleanScope(findings, named)
  checkScope([...asked.values()].flat().length)
  const plans = await Promise.all(
    [...asked].map(([service, own]) => ask(service, { findings: own, maxRemovals: own.length, validateOnly: true })),
  )
  const plan = spareRunning(findings, [...kept, ...plans.flatMap(({ removals }) => removals)])
  if (validateOnly) return { host, removals: plan }
  checkRemovals(plannedOf(plan).length, maxRemovals)

  const carryOut = async (own: Finding[]): Promise<Removal[]> => {
    const services = [...new Set(own.map(({ service }) => service))]
    const done = await Promise.all(
      services.map((service) =>
        removeOf(
          own.filter((finding) => finding.service === service),
          service,
          ask,
        ),
      ),
    )
    return done.flat()
  }
  const [vms, others] = [plan.filter(isOfVms), plan.filter((removal) => !isOfVms(removal))]
  const ended = await carryOut(plannedOf(vms))
  const rest = spareRunning(findings, [...vms.filter((removal) => !isPlanned(removal)), ...ended, ...others])
  return { host, removals: [...rest.filter((removal) => !isPlanned(removal)), ...(await carryOut(plannedOf(rest)))] }
}

const isOfVms = ({ finding }: Removal): boolean => finding?.service === vmService

/** What a service refuses now is told beside what others have done. */
async function removeOf(findings: Finding[], service: string, ask: AskToClean): Promise<Removal[]> {
  try {
    return (await ask(service, { findings, maxRemovals: findings.length, validateOnly: false })).removals
  } catch (error) {
    const message = isBerthError(error) ? error.message : 'the service did not do it'
    return findings.map((finding) => failed(finding, message))
  }
}

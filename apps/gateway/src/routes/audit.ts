import { unavailable } from '@berth/errors'
import { AuditService, type AuditHostResponse } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { type ServiceEntry, service } from '@berth/rpc'
import type { HandlerContext } from '@connectrpc/connect'
import { compareHoldings, foundTwice } from '../domain/compare-holdings.ts'
import { cleanHost } from './clean-host.ts'
import { askAll, callOptions, type PeerClients } from './peers.ts'

/**
 * The audit of a host: what all services find in their slices, and what they have for each other; and its clean-up. Only what two looks find counts.
 */
export function auditRoutes(peers: PeerClients[]): ServiceEntry {
  const auditHost = async ({ host }: { host: string }, ctx: HandlerContext) => {
    const look = async () => merge(await askAll(peers, async (peer) => peer.audit.auditHost({ host }, await callOptions(peer, ctx))), host)
    const first = await look()
    if (first.findings.length === 0) return first
    const second = await look()
    return { ...second, findings: foundTwice(first.findings, second.findings) }
  }
  return service(AuditService, {
    auditHost,
    cleanHost: (request, ctx) =>
      cleanHost(
        request,
        () => auditHost(request, ctx),
        async (name, asked) => {
          const peer = peers.find((one) => one.name === name)
          if (!peer) throw unavailable('SERVICE_UNAVAILABLE', `no service ${name} is known`, { metadata: { service: name } })
          const { host, includeRunning } = request
          return peer.audit.cleanHost({ host, includeRunning, ...asked }, await callOptions(peer, ctx))
        },
      ),
  })
}

function merge(answers: AuditHostResponse[], host: string) {
  const compared: Record<string, bigint> = {}
  for (const answer of answers) {
    for (const [kind, count] of Object.entries(answer.compared)) compared[kind] = (compared[kind] ?? 0n) + count
  }
  const holdings = answers.flatMap((answer) => answer.holdings)
  compared['grant'] = (compared['grant'] ?? 0n) + BigInt(holdings.length)
  const differences = compareHoldings({ holdings, owners: answers.flatMap(({ owners }) => owners) })
  return {
    findings: [...answers.flatMap(({ findings }) => findings), ...differences],
    host: answers.find((answer) => answer.host)?.host ?? host,
    compared,
  }
}

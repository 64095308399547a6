import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { type ServiceEntry, service } from '@berth/rpc'
import { askAll, callOptions, type PeerClients } from './peers.ts'

/** The audit of a host: what all services find in their slices, together. */
export function auditRoutes(peers: PeerClients[]): ServiceEntry {
  return service(AuditService, {
    async auditHost({ host }, ctx) {
      const answers = await askAll(peers, async (peer) => peer.audit.auditHost({ host }, await callOptions(peer, ctx)))
      const compared: Record<string, bigint> = {}
      for (const answer of answers) {
        for (const [kind, count] of Object.entries(answer.compared)) compared[kind] = (compared[kind] ?? 0n) + count
      }
      return { findings: answers.flatMap(({ findings }) => findings), host: answers.find((answer) => answer.host)?.host ?? host, compared }
    },
  })
}

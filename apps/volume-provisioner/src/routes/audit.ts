import { failedPrecondition } from '@berth/errors'
import { type AuditService, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import type { ServiceImpl } from '@connectrpc/connect'
import { auditHost, type AuditSource } from '../domain/audit-host.ts'

/** The audit of this host's pools. */
export function auditRoutes({ hostId, ...source }: AuditSource & { hostId: string }): ServiceImpl<typeof AuditService> {
  return {
    async auditHost({ host }) {
      if (host !== '' && host !== hostId)
        throw failedPrecondition('WRONG_HOST', `this is host ${hostId}`, { field: 'host', metadata: { host: hostId } })
      const { findings, compared, held } = await auditHost(source)
      return {
        host: hostId,
        findings: findings.map((finding) => ({ ...finding, service: 'volume', side: FindingSide[finding.side] })),
        holdings: held.map(({ ownerId, slot, diskId }) => ({ service: 'volume', ownerId, slot, resourceId: diskId })),
        compared: Object.fromEntries(Object.entries(compared).map(([kind, count]) => [kind, BigInt(count)])),
      }
    },
  }
}

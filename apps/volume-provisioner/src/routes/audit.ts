import { cleanHost, type Slice } from '@berth/controller/audit/clean-host'
import { failedPrecondition } from '@berth/errors'
import { type AuditService, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import type { ServiceImpl } from '@connectrpc/connect'
import { auditHost, type AuditSource, orphansOf } from '../domain/audit-host.ts'

/** The audit of this host's pools, and its clean-up. */
export function auditRoutes({
  hostId,
  sure,
  logger,
  ...source
}: AuditSource & Pick<Slice, 'hostId' | 'sure' | 'logger'>): ServiceImpl<typeof AuditService> {
  const slice: Slice = { service: 'volume', hostId, sure, logger, orphans: (options) => orphansOf(source, options) }
  return {
    async auditHost({ host }) {
      if (host !== '' && host !== hostId)
        throw failedPrecondition('WRONG_HOST', `this is host ${hostId}`, { field: 'host', metadata: { host: hostId } })
      await sure()
      const { findings, compared, held } = await auditHost(source)
      return {
        host: hostId,
        findings: findings.map((finding) => ({ ...finding, service: 'volume', side: FindingSide[finding.side] })),
        holdings: held.map(({ ownerId, slot, diskId }) => ({ service: 'volume', ownerId, slot, resourceId: diskId })),
        compared: Object.fromEntries(Object.entries(compared).map(([kind, count]) => [kind, BigInt(count)])),
      }
    },
    cleanHost: (request, { signal }) => cleanHost(slice, request, signal),
  }
}

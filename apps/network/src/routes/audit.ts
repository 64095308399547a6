import { cleanHost, type Slice } from '@berth/controller/audit/clean-host'
import { failedPrecondition } from '@berth/errors'
import { type AuditService, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import type { ServiceImpl } from '@connectrpc/connect'
import type { DriftSide } from '../domain/host-network.ts'
import type { NetworkWork } from '../domain/work.ts'

const sides: Record<DriftSide, FindingSide> = {
  'host-only': FindingSide.HOST_ONLY,
  'database-only': FindingSide.DATABASE_ONLY,
  mismatch: FindingSide.MISMATCH,
}

/** The audit of this host's networking, and its clean-up. */
export function auditRoutes(work: NetworkWork, slice: Slice): ServiceImpl<typeof AuditService> {
  return {
    async auditHost({ host }, ctx) {
      if (host !== '' && host !== work.hostId) {
        throw failedPrecondition('WRONG_HOST', `this is host ${work.hostId}`, { field: 'host', metadata: { host: work.hostId } })
      }
      await slice.sure()
      const { drift, compared, held } = await work.audit(ctx.signal)
      return {
        host: work.hostId,
        findings: drift.map((one) => ({ ...one, service: 'network', side: sides[one.side] })),
        holdings: held.map(({ ownerId, slot, portId }) => ({ service: 'network', ownerId, slot, resourceId: portId })),
        compared: Object.fromEntries(Object.entries(compared).map(([kind, count]) => [kind, BigInt(count)])),
      }
    },
    cleanHost: (request, { signal }) => cleanHost(slice, request, signal),
  }
}

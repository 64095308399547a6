import { failedPrecondition } from '@berth/errors'
import { type AuditService, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import type { ServiceImpl } from '@connectrpc/connect'
import { inventoryFindings } from '../domain/inventory.ts'
import type { Inventory } from '../domain/rescan.ts'

/** The audit of this host's inventory. */
export function auditRoutes({ bus, naming, rows, hostId }: Inventory): ServiceImpl<typeof AuditService> {
  return {
    async auditHost({ host }) {
      if (host !== '' && host !== hostId)
        throw failedPrecondition('WRONG_HOST', `this is host ${hostId}`, { field: 'host', metadata: { host: hostId } })
      const [known, found] = await Promise.all([rows.onHost(hostId), bus.scan()])
      const findings = inventoryFindings(known, found, naming).map((finding) => ({
        ...finding,
        kind: 'row',
        service: 'device',
        side: FindingSide[finding.side],
      }))
      return { host: hostId, findings, compared: { row: BigInt(known.length), function: BigInt(found.length) } }
    },
  }
}

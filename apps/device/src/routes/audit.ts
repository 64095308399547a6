import { cleanHost, type Slice } from '@berth/controller/audit/clean-host'
import { failedPrecondition } from '@berth/errors'
import { type AuditService, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import type { ServiceImpl } from '@connectrpc/connect'
import { inventoryFindings } from '../domain/inventory.ts'
import type { Inventory } from '../domain/rescan.ts'

/** The audit of this host's inventory. Its clean-up removes nothing: a function without a row gets one. */
export function auditRoutes(
  { bus, naming, rows, hostId }: Inventory,
  { sure, logger }: Pick<Slice, 'sure' | 'logger'>,
): ServiceImpl<typeof AuditService> {
  const look = async () => {
    const [known, found] = await Promise.all([rows.onHost(hostId), bus.scan()])
    const findings = inventoryFindings(known, found, naming).map((finding) => ({ ...finding, kind: 'row' }))
    return { known, found, findings }
  }
  const orphans: Slice['orphans'] = async () => {
    const { findings } = await look()
    return findings
      .filter(({ side }) => side === 'HOST_ONLY')
      .map(({ kind, name }) => ({ kind, name, keep: 'it is hardware: the next scan writes it down', remove: () => Promise.resolve() }))
  }
  return {
    async auditHost({ host }) {
      if (host !== '' && host !== hostId)
        throw failedPrecondition('WRONG_HOST', `this is host ${hostId}`, { field: 'host', metadata: { host: hostId } })
      await sure()
      const { known, found, findings: all } = await look()
      const findings = all.map((finding) => ({ ...finding, service: 'device', side: FindingSide[finding.side] }))
      return { host: hostId, findings, compared: { row: BigInt(known.length), function: BigInt(found.length) } }
    },
    cleanHost: (request, { signal }) => cleanHost({ service: 'device', hostId, sure, orphans, logger }, request, signal),
  }
}

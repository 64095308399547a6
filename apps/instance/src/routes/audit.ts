import { type AuditService, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { cleanHost } from '@berth/controller/audit/clean-host'
import { failedPrecondition } from '@berth/errors'
import type { RouteContext, Routes } from './context.ts'

const sides = { 'host-only': FindingSide.HOST_ONLY, 'database-only': FindingSide.DATABASE_ONLY, mismatch: FindingSide.MISMATCH } as const

/** `berth.audit.v1.AuditService` for this service's slice of its host. */
export function auditRoutes({ auditor, hosts, clean }: Pick<RouteContext, 'auditor' | 'hosts' | 'clean'>): Routes<typeof AuditService> {
  return {
    async auditHost({ host }, { signal }) {
      if (host !== '' && host !== hosts.local)
        throw failedPrecondition('WRONG_HOST', `this is host “${hosts.local}”`, { metadata: { host: hosts.local } })
      await clean.sure()
      const { findings, compared, owners } = await auditor.audit(signal)
      const counts = Object.entries(compared).map(([kind, count]) => [kind, BigInt(count)] as const)
      return {
        findings: findings.map((finding) => ({ ...finding, service: 'instance', side: sides[finding.side] })),
        owners,
        host: hosts.local,
        compared: Object.fromEntries(counts),
      }
    },
    cleanHost: (request, { signal }) => cleanHost(clean, request, signal),
  }
}

import type { Auditor } from '../domain/api.ts'
import { type AuditedRow, compare } from '../domain/audit.ts'
import { isOff } from '../domain/status.ts'
import { auditedRows } from '../store/audited.ts'
import type { InstanceContext } from './context.ts'

/** Compares this service's slice of the host with its rows. The host is looked at first: what appears meanwhile has a row by then. */
export function auditorOf({ hypervisor, files, store }: Pick<InstanceContext, 'hypervisor' | 'files' | 'store'>, host: string): Auditor {
  return {
    async audit() {
      const found = (await Promise.all([hypervisor.found(), files.found()])).flat()
      const rows = (await auditedRows(store)).map(
        (row): AuditedRow => ({
          id: row.id,
          host: row.host,
          living: !isOff(row.status),
          started: row.status.startTime !== undefined,
          moving: row.deleteTime !== null || row.busy,
        }),
      )
      const compared: Record<string, number> = { row: rows.filter((row) => row.host === host).length }
      for (const { kind } of found) compared[kind] = (compared[kind] ?? 0) + 1
      return { findings: compare(found, rows, host), compared }
    },
  }
}

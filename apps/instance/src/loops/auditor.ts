import type { AuditedOwner, Auditor } from '../domain/api.ts'
import { type AuditedRow, compare } from '../domain/audit.ts'
import { diskSerial } from '../domain/guest-config.ts'
import { isOff } from '../domain/status.ts'
import { auditedRows } from '../store/audited.ts'
import { nicSlot } from './bring-up.ts'
import type { InstanceContext } from './context.ts'
import type { InstanceRow } from '../store/tables.ts'

/** Compares this service's slice of the host with its rows. The host is looked at first: what appears meanwhile has a row by then. */
export function auditorOf({ hypervisor, files, store }: Pick<InstanceContext, 'hypervisor' | 'files' | 'store'>, host: string): Auditor {
  return {
    async audit() {
      const found = (await Promise.all([hypervisor.found(), files.found()])).flat()
      const audited = await auditedRows(store)
      const rows = audited.map(
        (row): AuditedRow => ({
          id: row.id,
          host: row.host,
          living: !isOff(row.status),
          started: row.status.startTime !== undefined,
          moving: row.deleteTime !== null || row.busy,
        }),
      )
      const owners = audited.map(({ id, spec }, index) => ({ id, expected: expectedFor(rows[index] as AuditedRow, spec, host) }))
      const compared: Record<string, number> = { row: rows.filter((row) => row.host === host).length }
      for (const { kind } of found) compared[kind] = (compared[kind] ?? 0) + 1
      return { findings: compare(found, rows, host), compared, owners }
    },
  }
}

/** What has been started keeps its image, scratch disk and ports until it is deleted; what lives has its volumes as well. */
function expectedFor({ started, living, moving, host }: AuditedRow, spec: InstanceRow['spec'], here: string): AuditedOwner['expected'] {
  if (!started || moving || host !== here) return []
  return [
    { service: 'image', slot: 'root' },
    { service: 'volume', slot: 'scratch' },
    ...spec.nics.map((_, index) => ({ service: 'network', slot: nicSlot(index) })),
    ...(living ? spec.disks.map((_, index) => ({ service: 'volume', slot: diskSerial(index) })) : []),
  ]
}

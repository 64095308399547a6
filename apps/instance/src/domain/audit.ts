import type { Finding } from './api.ts'
import type { FoundVm } from './ports.ts'
import { shortName } from './place.ts'

/** A row as the audit looks at it. */
export type AuditedRow = { id: string; host: string; living: boolean; started: boolean; moving: boolean }

/**
 * Compares what is on a host with the rows of all hosts. A thing of an instance that has a row, here or elsewhere, is no orphan; an instance that is
 * being worked on may lack or have anything.
 */
export function compare(found: FoundVm[], rows: AuditedRow[], host: string): Finding[] {
  const orphans = orphansAmong(found, rows).map(
    ({ kind, name }): Finding => ({ side: 'host-only', kind, name, resourceId: '', message: `no instance has this ${kind}` }),
  )
  return [...orphans, ...rows.filter((row) => row.host === host && !row.moving).flatMap((row) => lacks(row, found))]
}

/** What no instance of any host has. */
export function orphansAmong(found: FoundVm[], rows: Pick<AuditedRow, 'id'>[]): FoundVm[] {
  const known = new Set(rows.map(({ id }) => shortName(id)))
  return found.filter(({ short }) => !known.has(short))
}

function lacks({ id, living, started }: AuditedRow, found: FoundVm[]): Finding[] {
  const has = (kind: FoundVm['kind']): boolean => found.some((one) => one.kind === kind && one.short === shortName(id))
  const missing = (kind: FoundVm['kind'], message: string): Finding => ({ side: 'database-only', kind, name: id, resourceId: id, message })
  return [
    ...(living && !has('process') ? [missing('process', 'the instance runs by its row and has no process')] : []),
    ...(started && !has('folder') ? [missing('folder', 'the instance has been started and has no folder')] : []),
    ...(living || !has('process')
      ? []
      : [
          {
            side: 'mismatch',
            kind: 'process',
            name: id,
            resourceId: id,
            message: 'the instance is off by its row and has a process',
          } as const,
        ]),
  ]
}

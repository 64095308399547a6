import { type Access, accessFor, accessText, type Attachment, sameAccess } from './access.ts'
import type { FoundDisk, PoolEntry } from './ports.ts'

/** A disk as the database says it is. */
export type AuditedDisk = {
  id: string
  kind: 'scratch' | 'volume'
  sizeBytes: number
  /** Whether its file must be there: made, not lost, not going. */
  expected: boolean
  writer: string
  attachments: Attachment[]
}

export type AuditInput = {
  disks: AuditedDisk[]
  entries: PoolEntry[]
  files: Map<string, FoundDisk>
  /** Attachments to disks that no row names. */
  stray: (Attachment & { diskId: string })[]
}

export type AuditFinding = {
  side: 'HOST_ONLY' | 'DATABASE_ONLY' | 'MISMATCH'
  kind: 'file' | 'row' | 'lease' | 'grant'
  name: string
  resourceId: string
  message: string
}

/** Every disagreement between a pool and its rows, in both directions. */
export function auditPool({ disks, entries, files, stray }: AuditInput): AuditFinding[] {
  const rows = new Map(disks.map((disk) => [disk.id, disk]))
  return [
    ...entries.flatMap((entry) => orphan(entry, rows)),
    ...disks.flatMap((disk) => differences(disk, files.get(disk.id))),
    ...stray.map(({ owner, diskId }): AuditFinding => {
      const name = `${owner.kind}/${owner.id}/${owner.slot}`
      return { side: 'DATABASE_ONLY', kind: 'lease', name, resourceId: diskId, message: `${name} has a disk that is in no table` }
    }),
  ]
}

/** The finding of a file that lies there for nobody; none where it is some disk's. */
export function orphan({ name, id, kind }: PoolEntry, rows: Map<string, AuditedDisk>): AuditFinding[] {
  const row = id === undefined ? undefined : rows.get(id)
  if (row && !(kind === 'unfinished' && row.expected)) return []
  const message = kind === 'unfinished' && row ? 'left by an unfinished try' : 'belongs to no disk of this host'
  return [{ side: 'HOST_ONLY', kind: 'file', name, resourceId: id ?? '', message }]
}

function differences(disk: AuditedDisk, file: FoundDisk | undefined): AuditFinding[] {
  const finding = (side: AuditFinding['side'], kind: AuditFinding['kind'], message: string): AuditFinding => {
    return { side, kind, name: disk.id, resourceId: disk.id, message }
  }
  if (!disk.expected) return []
  if (!file) return [finding('DATABASE_ONLY', 'row', 'its file is not in the pool')]
  const found: AuditFinding[] = []
  if (file.sizeBytes !== disk.sizeBytes) found.push(finding('MISMATCH', 'file', `has ${file.sizeBytes} bytes instead of ${disk.sizeBytes}`))
  const access: Access = accessFor(disk.attachments)
  if (!sameAccess(file, access)) found.push(finding('MISMATCH', 'grant', `is ${accessText(file)} instead of ${accessText(access)}`))
  const writer = disk.attachments.find(({ readOnly, releasing }) => !readOnly && !releasing)?.owner.id ?? ''
  if (writer !== disk.writer) found.push(finding('MISMATCH', 'lease', `names “${disk.writer}” as writer, the lease is “${writer}”’s`))
  return found
}

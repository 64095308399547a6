import type { Database } from '@berth/db'
import { VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import type { Attachment } from '../domain/access.ts'
import type { AuditedDisk } from '../domain/audit.ts'
import { attachmentsOn } from './attachments.ts'
import { type Disk, scratchStore, volumeStore } from './disks.ts'

/** A host's disks and leases as the database says they are. */
export async function auditedRows(
  db: Database,
  host: string,
): Promise<{ disks: AuditedDisk[]; stray: (Attachment & { diskId: string })[] }> {
  const held = await attachmentsOn(db, host)
  const audited = (row: Disk, kind: AuditedDisk['kind']): AuditedDisk => ({
    id: row.id,
    kind,
    sizeBytes: Number(row.spec.sizeBytes),
    expected: row.status.state === VolumeState.READY && row.deleteTime === null,
    writer: row.status.writer,
    attachments: held.filter(({ diskId }) => diskId === row.id),
  })
  const scratch = (await scratchStore(db).onHost(host)).map((row) => audited(row, 'scratch'))
  const volumes = (await volumeStore(db).onHost(host)).map((row) => audited(row, 'volume'))
  const disks = [...volumes, ...scratch]
  const known = new Set(disks.map(({ id }) => id))
  return { disks, stray: held.filter(({ diskId }) => !known.has(diskId)) }
}

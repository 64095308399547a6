import type { Database } from '@berth/db'
import { VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import type { Attachment } from '../domain/access.ts'
import type { AuditedDisk } from '../domain/audit.ts'
import type { HeldDisk } from '../domain/audit-host.ts'
import { attachmentsOn } from './attachments.ts'
import { type Disk, scratchStore, volumeStore } from './disks.ts'

/** A host's disks and leases as the database says they are. */
export async function auditedRows(
  db: Database,
  host: string,
): Promise<{ disks: AuditedDisk[]; stray: (Attachment & { diskId: string })[]; held: HeldDisk[] }> {
  const held = await attachmentsOn(db, host)
  const audited = (row: Disk, kind: AuditedDisk['kind']): AuditedDisk => ({
    id: row.id,
    kind,
    sizeBytes: Number(row.spec.sizeBytes),
    expected: row.status.state === VolumeState.READY && row.deleteTime === null,
    writer: row.status.writer,
    attachments: held.filter(({ diskId }) => diskId === row.id),
  })
  const scratchRows = await scratchStore(db).onHost(host)
  const scratch = scratchRows.map((row) => audited(row, 'scratch'))
  const volumes = (await volumeStore(db).onHost(host)).map((row) => audited(row, 'volume'))
  const disks = [...volumes, ...scratch]
  const known = new Set(disks.map(({ id }) => id))
  const owned = scratchRows.map(({ id, extra }): HeldDisk => ({ ownerId: extra.ownerId, slot: extra.ownerSlot, diskId: id }))
  const attached = held.map(({ owner, diskId }): HeldDisk => ({ ownerId: owner.id, slot: owner.slot, diskId }))
  // A scratch disk is its owner's, attached or not.
  const others = attached.filter(({ diskId }) => !owned.some((one) => one.diskId === diskId))
  return { disks, stray: held.filter(({ diskId }) => !known.has(diskId)), held: [...owned, ...others] }
}

import { chownSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { away, facts, file, sql, status, system, ULID, undo } from './ground.ts'
import { type Orphan, orphan } from './orphan.ts'

const raw = () => path.join(facts.pool, `${facts.volume}.raw`)
const service = 'volume'

/** Things of volumes. */
export const ofVolumes: Orphan[] = [
  orphan(
    'a disk without a row',
    () => file(path.relative(system().dataDir, facts.pool), `vol_${ULID}.raw`),
    () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `vol_${ULID}.raw` }),
  ),
  orphan(
    'what an unfinished try left',
    () => file(path.relative(system().dataDir, facts.pool), `${facts.volume}.raw.tmp`),
    () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `${facts.volume}.raw.tmp` }),
  ),
  orphan(
    'a row without its disk',
    () => away(raw()),
    () => ({ service, side: 'DATABASE_ONLY', kind: 'row', resourceId: facts.volume }),
  ),
  orphan(
    'a disk of another size',
    () => (truncateSync(raw(), 4096), undo.push(() => truncateSync(raw(), 1 << 20))),
    () => ({ service, side: 'MISMATCH', kind: 'file', resourceId: facts.volume }),
  ),
  orphan(
    'a disk that somebody may open who was not granted it',
    () => (chownSync(raw(), 900_001, 900_001), undo.push(() => chownSync(raw(), 0, 0))),
    () => ({ service, side: 'MISMATCH', kind: 'grant', resourceId: facts.volume }),
  ),
  orphan(
    'a writer without a lease',
    () => status('volume.volumes', facts.volume, 'writer', `ins_${ULID}`)(),
    () => ({ service, side: 'MISMATCH', kind: 'lease', resourceId: facts.volume }),
  ),
  orphan(
    'a lease of a disk that is in no table',
    async () => {
      undo.push(() => sql()`delete from volume.attachments where disk_id = ${`vol_${ULID}`}`)
      await sql()`insert into volume.attachments (owner_kind, owner_id, owner_slot, disk_id, host, uid, read_only, epoch)
        values ('instance', ${`ins_${ULID}`}, 'disk0', ${`vol_${ULID}`}, ${facts.host}, 900001, false, 1) on conflict do nothing`
    },
    () => ({ service, side: 'DATABASE_ONLY', kind: 'lease', name: `instance/ins_${ULID}/disk0` }),
  ),
]

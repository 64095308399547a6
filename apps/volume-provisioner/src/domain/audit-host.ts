import { type AuditedDisk, type AuditFinding, type AuditInput, auditPool, orphan } from './audit.ts'
import type { Attachment } from './access.ts'
import type { FoundDisk, PoolEntry, StorageBackend } from './ports.ts'

export type AuditSource = {
  backend: StorageBackend
  /** The host's rows, now. */
  rows(): Promise<{ disks: AuditedDisk[]; stray: (Attachment & { diskId: string })[]; held: HeldDisk[] }>
}

/** A disk that is there for a resource of another service. */
export type HeldDisk = { ownerId: string; slot: string; diskId: string }

export type Audited = { findings: AuditFinding[]; compared: Record<string, number>; held: HeldDisk[] }

/**
 * Compares pool and rows. Work that goes on meanwhile looks like disagreement for a moment, so only what is found twice counts.
 */
export async function auditHost(source: AuditSource): Promise<Audited> {
  const first = await look(source)
  if (first.findings.length === 0) return first
  const second = await look(source)
  const seen = new Set(first.findings.map(keyOf))
  return { ...second, findings: second.findings.filter((finding) => seen.has(keyOf(finding))) }
}

/** A file of the pool that no disk of this host has. */
export type OrphanFile = { kind: string; name: string; keep: string | undefined; remove(): Promise<void> }

/**
 * What lies in the pool for nobody, one look. What is not of our making is to be kept, and what is open too, unless its VM is about to be ended.
 */
export async function orphansOf(
  { backend, rows }: AuditSource,
  { includeRunning, planning }: { includeRunning: boolean; planning: boolean },
): Promise<OrphanFile[]> {
  // Files first: a file that is there now has had its row before.
  const [entries, open] = await Promise.all([backend.entries(), backend.inUse()])
  const known = new Map((await rows()).disks.map((disk) => [disk.id, disk]))
  const keep = ({ name, kind }: PoolEntry): string | undefined => {
    if (kind === 'foreign') return 'it does not look as if Berth had made it'
    if (includeRunning && planning) return undefined
    return open.has(name) ? `process ${open.get(name)} has it open` : undefined
  }
  return entries.flatMap((entry) =>
    orphan(entry, known).map(({ kind, name }) => ({ kind, name, keep: keep(entry), remove: () => backend.discard(name) })),
  )
}

async function look({ backend, rows }: AuditSource): Promise<Audited> {
  // Files first: a file that is there now has had its row before.
  const entries = await backend.entries()
  const { disks, stray, held } = await rows()
  const files = new Map<string, FoundDisk>()
  for (const { id, expected } of disks) {
    const found = expected ? await backend.find(id) : undefined
    if (found) files.set(id, found)
  }
  const input: AuditInput = { disks, entries, files, stray }
  const leases = disks.reduce((count, { attachments }) => count + attachments.length, stray.length)
  return { findings: auditPool(input), compared: { file: entries.length, row: disks.length, lease: leases }, held }
}

function keyOf({ side, kind, name }: AuditFinding): string {
  return `${side} ${kind} ${name}`
}

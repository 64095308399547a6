import type { FoundDisk, Made, StorageBackend } from './ports.ts'
import { checkRoom } from './size.ts'

export type Wanted = { id: string; kind: 'scratch' | 'volume'; sizeBytes: number; wasReady: boolean }

/** What is on the host now: the disk, or why the disk that was there cannot be used. */
export type Outcome = { found: FoundDisk; made: Made | undefined } | { lost: { reason: string; message: string } }

/**
 * Finds a disk or makes it. A disk that was ready once is never made again: empty bytes in its place would hide the loss.
 *
 * @throws ResourceExhausted(`POOL_FULL`)
 */
export async function findOrMake(
  backend: StorageBackend,
  wanted: Wanted,
  make: (run: () => Promise<Made>) => Promise<Made>,
  signal: AbortSignal,
): Promise<Outcome> {
  const before = await backend.find(wanted.id)
  // What was never ready and has another size is nobody's: it is replaced.
  if (before && (wanted.wasReady || before.sizeBytes === wanted.sizeBytes)) return sizeChecked(before, wanted, undefined)
  if (wanted.wasReady) return { lost: { reason: 'FILE_LOST', message: 'its file is gone from the pool' } }
  const made = await make(async () => {
    checkRoom(backend.pool, await backend.room(), wanted.kind === 'volume' ? wanted.sizeBytes : 0)
    return wanted.kind === 'scratch'
      ? backend.createScratch(wanted.id, wanted.sizeBytes, signal)
      : backend.createEmpty(wanted.id, wanted.sizeBytes, signal)
  })
  const after = await backend.find(wanted.id)
  if (!after) throw new Error(`disk ${wanted.id} is not there after it was made`)
  return sizeChecked(after, wanted, made)
}

function sizeChecked(found: FoundDisk, { sizeBytes }: Wanted, made: Made | undefined): Outcome {
  if (found.sizeBytes === sizeBytes) return { found, made }
  return { lost: { reason: 'SIZE_MISMATCH', message: `its file has ${found.sizeBytes} bytes instead of ${sizeBytes}` } }
}

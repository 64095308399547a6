import { invalidArgument, resourceExhausted } from '@berth/errors'

/** Room of a pool in bytes; `reserveBytes` stays free, so that what has been promised already can go on growing for a while. */
export type Room = { freeBytes: number; reserveBytes: number }

const blockBytes = 4096

/** @throws InvalidArgument(`SIZE_NOT_ALIGNED`) */
export function checkSize(sizeBytes: number, field = 'size_bytes'): void {
  if (sizeBytes % blockBytes !== 0)
    throw invalidArgument('SIZE_NOT_ALIGNED', `the size must be a multiple of ${blockBytes} bytes`, { field })
}

/**
 * Whether a pool can take a disk. Disks take room as they are written, so a pool may promise more than it has; refused is a disk that needs
 * more at once than there is.
 *
 * @param needBytes what it may take soon: the whole of a data volume, nothing for a scratch disk beyond the pool's reserve
 * @throws ResourceExhausted(`POOL_FULL`)
 */
export function checkRoom(pool: string, { freeBytes, reserveBytes }: Room, needBytes: number): void {
  if (freeBytes - reserveBytes > needBytes) return
  throw poolFull(pool, { free_bytes: String(freeBytes), reserve_bytes: String(reserveBytes) })
}

export function poolFull(pool: string, metadata: Record<string, string> = {}, cause?: unknown) {
  const message = `pool “${pool}” has no room for this disk`
  return resourceExhausted('POOL_FULL', message, { metadata: { pool, ...metadata }, retryAfterMs: 30_000, cause })
}

import { machineError, resourceExhausted } from '@berth/errors'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export const diskFull = (cause?: unknown) => resourceExhausted('DISK_FULL', 'no space is left for images on this host', { cause })

/** Turns “no space left” of the file system into the error callers know, and what else a machine runs out of; everything else stays as it is. */
export function translateDisk(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && FULL.has(code) ? diskFull(error) : (machineError(error) ?? error)
}

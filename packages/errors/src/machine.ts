import type { BerthError } from './berth-error.ts'
import { resourceExhausted, unavailable } from './makers.ts'

const full = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const exhausted = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM', 'ENOBUFS'])
const retryAfterMs = 5_000

/**
 * What callers may see of a machine that has run out of something: RESOURCE_EXHAUSTED (`DISK_FULL`) or UNAVAILABLE (`HOST_EXHAUSTED`: file
 * descriptors, processes, memory). Undefined for every other error; the system's text, which holds a path, stays in the cause.
 */
export function machineError(error: unknown): BerthError | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error) || typeof error.code !== 'string') return undefined
  if (full.has(error.code)) return resourceExhausted('DISK_FULL', 'no space is left on this host', { cause: error, retryAfterMs })
  if (!exhausted.has(error.code)) return undefined
  return unavailable('HOST_EXHAUSTED', `this host has run out of what it needs for this (${error.code})`, { cause: error, retryAfterMs })
}

/** The same of what a command that failed wrote to its standard error. */
export function machineReason(stderr: string): 'DISK_FULL' | 'HOST_EXHAUSTED' | undefined {
  if (/No space left on device|Disk quota exceeded/.test(stderr)) return 'DISK_FULL'
  if (/Cannot allocate memory|Resource temporarily unavailable|Too many open files/.test(stderr)) return 'HOST_EXHAUSTED'
  return undefined
}

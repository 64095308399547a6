import type { Readable } from 'node:stream'
import { isBerthError } from '@berth/errors'
import { limits } from '../domain/limits.ts'
import { type BlobStore, blobTruncated, type Part, Truncated } from './blob-store.ts'
import type { RegistryClient, Repository } from './registry/client.ts'
import { Transient, unreachable } from './registry/failures.ts'
import { retrying } from './registry/retry.ts'

export interface DownloadOptions {
  client: RegistryClient
  blobs: BlobStore
  /** Wait before the first retry; default 200 ms. */
  retryBaseMs?: number | undefined
  /** Slowest transfer borne, in bytes a second; default 16 KiB. */
  slowestBytesPerSecond?: number | undefined
  /** How often the pace is judged, in milliseconds; default 30 s. */
  paceMs?: number | undefined
}

export type Download = (from: Repository, part: Part, onBytes: (bytes: number) => void, signal: AbortSignal) => Promise<void>

/**
 * Makes the function that brings one blob onto this host: a broken transfer begins again a few times, a trickle is cut.
 * `onBytes` gets negative numbers when bytes that were counted are thrown away.
 *
 * Errors of the function: those of `RegistryClient.manifest`, Unavailable(`BLOB_TRUNCATED`), ResourceExhausted(`DISK_FULL`)
 */
export function downloader(options: DownloadOptions): Download {
  const { client, blobs, retryBaseMs: baseMs } = options
  return async (from, part, onBytes, signal) => {
    const attempt = async () => {
      let counted = 0
      const count = (bytes: number) => {
        counted += bytes
        onBytes(bytes)
      }
      try {
        const body = await client.blob(from, part.digest, signal)
        await blobs.write(part, paced(body, options), count)
      } catch (error) {
        onBytes(-counted)
        throw signal.aborted || isBerthError(error) || error instanceof Transient ? error : brokenTransfer(error)
      }
    }
    await retrying(attempt, { signal, baseMs }).catch((error: unknown) => {
      signal.throwIfAborted()
      throw error instanceof Truncated ? blobTruncated(error) : unreachable(from.registry, error)
    })
  }
}

/** A connection that closes before Content-Length bytes came is an early end as well. */
function brokenTransfer(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'UND_ERR_SOCKET' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH')
    return new Truncated('the connection closed early', { cause: error })
  if (typeof code === 'string' && (code.startsWith('UND_ERR_') || code.startsWith('ECONN') || code === 'EPIPE'))
    return new Transient('the connection broke', { cause: error })
  return error
}

/** Ends a body that comes slower than the bound over a whole window: the silence limit alone would let a byte a second go on for ever. */
async function* paced(body: Readable, options: DownloadOptions): AsyncGenerator<Buffer> {
  const { slowestBytesPerSecond = limits.slowestBytesPerSecond, paceMs = 30_000 } = options
  let bytes = 0
  const timer = setInterval(() => {
    if (bytes < (slowestBytesPerSecond * paceMs) / 1000) body.destroy(new Transient('it sends too slowly'))
    bytes = 0
  }, paceMs)
  try {
    for await (const chunk of body) {
      bytes += chunk.length
      yield chunk
    }
  } finally {
    clearInterval(timer)
    body.destroy()
  }
}

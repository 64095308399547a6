import { createHash } from 'node:crypto'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { fsyncPath } from '@berth/host'
import { unavailable } from '@berth/errors'
import type { Digest } from '../domain/digest.ts'
import type { Descriptor } from '../domain/manifest.ts'
import { translateDisk } from './disk-errors.ts'
import type { Paths } from './paths.ts'
import { Transient } from './registry/failures.ts'
import { mismatch } from './registry/client.ts'

export type Part = Pick<Descriptor, 'digest' | 'sizeBytes'>

/** Verified bytes by digest. What has its final name is whole: it was verified, flushed and then renamed. */
export interface BlobStore {
  has(part: Part): Promise<boolean>
  read(digest: Digest): Promise<Buffer>
  /**
   * Streams a blob in, verifying size and digest on the way. One download at a time per digest is the caller's affair.
   *
   * @throws Transient for a stream that breaks or ends early, FailedPrecondition(`DIGEST_MISMATCH`), ResourceExhausted(`DISK_FULL`)
   */
  write(part: Part, source: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): Promise<void>
  remove(digest: Digest): Promise<void>
}

/** A blob that ended before all its bytes had come. */
export class Truncated extends Transient {}

export const blobTruncated = (cause: unknown) =>
  unavailable('BLOB_TRUNCATED', 'the registry ends a part of the image before all its bytes came', { cause })

export function blobStore(paths: Paths): BlobStore {
  return {
    async has({ digest, sizeBytes }) {
      const found = await stat(paths.blob(digest)).catch(() => undefined)
      return found !== undefined && found.isFile() && found.size === sizeBytes
    },
    read: (digest) => readFile(paths.blob(digest)),
    async write(part, source, onBytes) {
      const temporary = paths.blobInProgress(part.digest)
      try {
        await fill(temporary, part, source, onBytes)
        await rename(temporary, paths.blob(part.digest))
        await fsyncPath(paths.blobs)
      } catch (error) {
        await rm(temporary, { force: true })
        throw translateDisk(error)
      }
    },
    remove: (digest) => rm(paths.blob(digest), { force: true }),
  }
}

async function fill(path: string, part: Part, source: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): Promise<void> {
  await rm(path, { force: true })
  await using file = await open(path, 'wx', 0o600)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > part.sizeBytes) throw mismatch('part')
    hash.update(chunk)
    await file.write(chunk)
    onBytes(chunk.length)
  }
  if (bytes < part.sizeBytes) throw new Truncated(`it sent ${bytes} of ${part.sizeBytes} bytes`)
  if (`sha256:${hash.digest('hex')}` !== part.digest) throw mismatch('part')
  await file.sync()
}

import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { PassThrough, type Transform } from 'node:stream'
import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { invalidArgument, isBerthError, resourceExhausted } from '@berth/errors'
import type { Digest } from '../../domain/digest.ts'
import { limits } from '../../domain/limits.ts'
import type { Compression, Layer } from '../../domain/manifest.ts'
import { TarError } from './tar-header.ts'
import { filterLayer, type Tally } from './filter.ts'

/** What is counted over all layers of one image. */
export interface Unpacking extends Tally {
  bytes: number
}

export interface UnpackedLayer {
  digest: Digest
  sizeBytes: number
}

const tooLarge = (why: string) => resourceExhausted('IMAGE_TOO_LARGE', `the image is too large: ${why}`)
const layerInvalid = (why: string, cause?: unknown) =>
  invalidArgument('LAYER_INVALID', `a layer of the image is refused: ${why}`, { field: 'reference', cause })

/**
 * Unpacks a compressed layer into a checked tar file `<folder>/<hex of its digest>`.
 *
 * @param diffId what the unpacked layer's digest must be, by the image's configuration
 * @throws InvalidArgument(`LAYER_INVALID`), ResourceExhausted(`IMAGE_TOO_LARGE`); errors of the file system as they are
 */
export async function unpackLayer(
  { blob, layer, diffId, folder, counted }: { blob: string; layer: Layer; diffId: Digest; folder: string; counted: Unpacking },
  signal: AbortSignal,
): Promise<UnpackedLayer> {
  const [before, after] = [createHash('sha256'), createHash('sha256')]
  const temporary = `${folder}/unpacking`
  let sizeBytes = 0
  try {
    await using file = await open(temporary, 'wx', 0o600)
    const chunks = filterLayer(unpacked(blob, layer, before, counted, signal), counted, checkEntries)
    for await (const chunk of chunks) {
      after.update(chunk)
      sizeBytes += chunk.length
      await file.write(chunk)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw refusal(error)
  }
  if (`sha256:${before.digest('hex')}` !== diffId) throw layerInvalid('unpacked it is not what the configuration says')
  const hex = after.digest('hex')
  await rename(temporary, `${folder}/${hex}`)
  return { digest: `sha256:${hex}`, sizeBytes }
}

async function* unpacked(blob: string, layer: Layer, hash: Hash, counted: Unpacking, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stream = decompressor(layer.compression)
  // A failure of the pipeline reaches the loop below as the stream's own error.
  const flow = pipeline(createReadStream(blob, { highWaterMark: 256 * 1024 }), stream, { signal }).catch(() => undefined)
  let bytes = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length
      counted.bytes += chunk.length
      if (counted.bytes > limits.unpackedBytes) throw tooLarge(`more than ${limits.unpackedBytes} bytes unpacked`)
      if (bytes > limits.ratioFreeBytes && bytes > layer.sizeBytes * limits.ratio)
        throw tooLarge('a layer grows beyond measure when unpacked')
      hash.update(chunk)
      yield chunk
    }
  } finally {
    stream.destroy()
    await flow
  }
}

function decompressor(compression: Compression): Transform {
  const chunkSize = 256 * 1024
  if (compression === 'gzip') return createGunzip({ chunkSize })
  if (compression === 'zstd') return createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: 27 } })
  return new PassThrough()
}

function checkEntries({ entries }: Tally): void {
  if (entries > limits.entries) throw tooLarge(`more than ${limits.entries} entries`)
}

function refusal(error: unknown): unknown {
  if (isBerthError(error)) return error
  if (error instanceof TarError) return layerInvalid(error.message)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code.startsWith('Z_') || code.startsWith('ZSTD_')) return layerInvalid('it is not compressed as it says', error)
  return error
}

import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { freeBytes, keyedLock, type Runner } from '@berth/host'
import { invalidArgument } from '@berth/errors'
import { parseConfiguration } from '../domain/config.ts'
import type { Digest } from '../domain/digest.ts'
import { limits } from '../domain/limits.ts'
import { choosePlatform, parseManifest } from '../domain/manifest.ts'
import type { Library, Resolved } from '../domain/ports.ts'
import { type Reference, wanted } from '../domain/reference.ts'
import { blobStore, type Part } from './blob-store.ts'
import { converter } from './convert.ts'
import { diskFull } from './disk-errors.ts'
import { downloader } from './download.ts'
import type { Paths } from './paths.ts'
import type { RegistryClient } from './registry/client.ts'

/** Space that downloads leave free, in bytes. */
const MARGIN_BYTES = 256 * 1024 * 1024

export interface LibraryOptions {
  paths: Paths
  runner: Runner
  client: RegistryClient
  /** Wait before the first retry of a transfer; default 200 ms. */
  retryBaseMs?: number
  paceMs?: number
}

/** The host's images: blobs and roots by digest, filled from registries. */
export function library({ paths, runner, client, retryBaseMs, paceMs }: LibraryOptions): Library {
  const blobs = blobStore(paths)
  const roots = converter(paths, runner)
  const download = downloader({ client, blobs, retryBaseMs, paceMs })
  const exclusively = keyedLock()

  async function fromRegistry(from: Reference, signal: AbortSignal): Promise<Resolved> {
    const first = await client.manifest(from, wanted(from), signal)
    let found = first
    for (let depth = 0; ; depth++) {
      const manifest = parseManifest(found.bytes, found.contentType)
      if (manifest.kind === 'manifest') return { digest: found.digest, indexDigest: first.digest, manifest, bytes: found.bytes }
      if (depth === limits.indexNesting) throw tooDeep()
      found = await client.manifest(from, choosePlatform(manifest).digest, signal)
    }
  }

  async function fromDisk(digest: Digest): Promise<Resolved | undefined> {
    const bytes = await readFile(paths.blob(digest)).catch(() => undefined)
    if (!bytes) return undefined
    const manifest = parseManifest(bytes)
    return manifest.kind === 'manifest' ? { digest, indexDigest: digest, manifest, bytes } : undefined
  }

  return {
    exclusively,

    async resolve(reference, known, signal) {
      if (known === undefined) return fromRegistry(reference, signal)
      return (await fromDisk(known)) ?? fromRegistry({ ...reference, tag: undefined, digest: known }, signal)
    },

    async download(from, { digest, manifest, bytes }, onBytes, signal) {
      const parts = [manifest.config, ...manifest.layers]
      const total = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      let done = 0
      const count = (more: number) => {
        done += more
        onBytes(done, total)
      }
      await keep({ digest, sizeBytes: bytes.length }, () =>
        blobs.write({ digest, sizeBytes: bytes.length }, Readable.from([bytes]), () => undefined),
      )
      if ((await freeBytes(paths.home)) < MARGIN_BYTES + (await missing(parts))) throw diskFull()
      await inParallel(parts, limits.parallelLayers, signal, (part, ownSignal) =>
        keep(part, () => download(from, part, count, ownSignal)).then((fetched) => {
          if (!fetched) count(part.sizeBytes)
        }),
      )
      return parseConfiguration(await blobs.read(manifest.config.digest), manifest.layers.length)

      /** Runs `fetch` unless the part is there; one at a time per digest, whoever asks. */
      function keep(part: Part, fetch: () => Promise<void>): Promise<boolean> {
        return exclusively(`blob ${part.digest}`, signal, async () => {
          if (await blobs.has(part)) return false
          await fetch()
          return true
        })
      }
    },

    async convert({ digest, manifest }, { diffIds }, onLayer, signal) {
      if ((await roots.find(digest)) !== undefined) return
      const total = manifest.layers.length
      await roots.convert({ digest, manifest, diffIds, onLayer: (done) => onLayer(done, total), signal })
    },

    publish: async (digest) => (await roots.find(digest)) ?? roots.publish(digest),
    findRoot: (digest) => roots.find(digest),

    async remove(digests) {
      for (const digest of digests) {
        await roots.discard(digest)
        await roots.remove(digest)
        await blobs.remove(digest)
      }
    },
  }

  async function missing(parts: readonly Part[]): Promise<number> {
    const sizes = await Promise.all(parts.map(async (part) => ((await blobs.has(part)) ? 0 : part.sizeBytes)))
    return sizes.reduce((sum, size) => sum + size, 0)
  }
}

const tooDeep = () =>
  invalidArgument('MANIFEST_INVALID', 'the image’s manifest is refused: its indexes are nested too deeply', { field: 'reference' })

/** Runs `work` for all items, at most `width` at once; the first failure ends the others and is thrown after they have ended. */
async function inParallel<T>(
  items: readonly T[],
  width: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
) {
  const control = new AbortController()
  const both = AbortSignal.any([signal, control.signal])
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) {
      if (both.aborted) return
      await work(item, both)
    }
  }
  const failures: unknown[] = []
  const caught = (error: unknown) => {
    failures.push(error)
    control.abort(error)
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, () => worker().catch(caught)))
  signal.throwIfAborted()
  if (failures.length > 0) throw failures[0]
}

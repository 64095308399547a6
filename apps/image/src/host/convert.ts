import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { invalidArgument, resourceExhausted } from '@berth/errors'
import { CommandFailed, freeBytes, fsyncPath, type Runner } from '@berth/host'
import type { Digest } from '../domain/digest.ts'
import { limits } from '../domain/limits.ts'
import type { Manifest } from '../domain/manifest.ts'
import { diskFull, translateDisk } from './disk-errors.ts'
import { LAYOUT_TAG, writeLayout } from './layer/layout.ts'
import type { Paths } from './paths.ts'
import { type UnpackedLayer, type Unpacking, unpackLayer } from './layer/unpack.ts'

const GiB = 1024 ** 3
const NO_UUID = '00000000-0000-0000-0000-000000000000'
/** No network, and of root's powers only those that unpacking needs; device nodes are beyond them. */
const CONFINED = [
  ...['unshare', '--net', '--ipc', '--', 'setpriv', '--no-new-privs', '--inh-caps=-all'],
  ...['--bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+setfcap', '--'],
]

export interface ConvertInput {
  /** The manifest's digest: the root's name. */
  digest: Digest
  manifest: Manifest
  diffIds: readonly Digest[]
  /** Called after each layer with how many of them are unpacked. */
  onLayer(done: number): void
  signal: AbortSignal
}

/** Makes bootable roots. */
export interface Converter {
  /** Size of the finished root in bytes; undefined when there is none. Finished ones have their final name, so this also adopts. */
  find(digest: Digest): Promise<number | undefined>
  /**
   * Turns layers into a read-only EROFS file in the temp folder; the same layers give the same bytes. An earlier try's leftovers are removed first.
   *
   * @throws InvalidArgument(`LAYER_INVALID`), ResourceExhausted(`IMAGE_TOO_LARGE` | `DISK_FULL`)
   */
  convert(input: ConvertInput): Promise<void>
  /** Gives what `convert` made its final name, durably. @returns its size in bytes */
  publish(digest: Digest): Promise<number>
  /** Removes leftovers of `convert`. */
  discard(digest: Digest): Promise<void>
  remove(digest: Digest): Promise<void>
}

export function converter(paths: Paths, runner: Runner): Converter {
  const discard = (digest: Digest) => rm(paths.rootInProgress(digest), { recursive: true, force: true })
  const finished = (digest: Digest) => join(paths.rootInProgress(digest), 'root.erofs')
  return {
    async find(digest) {
      const found = await stat(paths.root(digest)).catch(() => undefined)
      return found?.isFile() ? found.size : undefined
    },
    async convert(input) {
      await discard(input.digest)
      try {
        await make({ ...input, paths, runner })
      } catch (error) {
        await discard(input.digest)
        input.signal.throwIfAborted()
        throw await translate(error, paths)
      }
    },
    async publish(digest) {
      const [from, to] = [finished(digest), paths.root(digest)]
      await chmod(from, 0o644)
      await fsyncPath(from)
      await rename(from, to)
      await fsyncPath(paths.roots)
      await discard(digest)
      return (await stat(to)).size
    },
    discard,
    remove: (digest) => rm(paths.root(digest), { force: true }),
  }
}

async function make(input: ConvertInput & { paths: Paths; runner: Runner }): Promise<void> {
  const { digest, manifest, diffIds, paths, runner, signal } = input
  const folder = paths.rootInProgress(digest)
  const [layout, tree] = [join(folder, 'layout'), join(folder, 'tree')]
  const blobs = join(layout, 'blobs/sha256')
  await mkdir(blobs, { recursive: true, mode: 0o700 })
  const counted: Unpacking = { entries: 0, newest: 0, bytes: 0 }
  const layers: UnpackedLayer[] = []
  for (const [index, layer] of manifest.layers.entries()) {
    const diffId = diffIds[index]
    if (!diffId) throw new Error('configuration and manifest disagree')
    layers.push(await unpackLayer({ blob: paths.blob(layer.digest), layer, diffId, folder: blobs, counted }, signal))
    input.onLayer(index + 1)
  }
  await writeLayout(layout, layers)
  const bounds = { timeoutMs: 30 * 60_000, signal }
  const own = { cpuSeconds: 1200, fileSizeBytes: limits.unpackedBytes }
  // Go reserves much more address space than it uses.
  await runner.run([...CONFINED, 'umoci', 'raw', 'unpack', '--image', `${layout}:${LAYOUT_TAG}`, tree], {
    ...bounds,
    limits: { ...own, addressSpaceBytes: 16 * GiB },
  })
  await rm(layout, { recursive: true, force: true })
  // Later times than this are folders that no layer names: they get this one, so that the same layers give the same bytes.
  await runner.run([...CONFINED, 'mkfs.erofs', '--quiet', '-U', NO_UUID, join(folder, 'root.erofs'), tree], {
    ...bounds,
    limits: { ...own, addressSpaceBytes: 4 * GiB },
    env: { SOURCE_DATE_EPOCH: String(Math.min(counted.newest, 2 ** 32 - 1)) },
  })
  await rm(tree, { recursive: true, force: true })
}

/** Commands say “no space” in words of their own; a full disk is told by looking. */
async function translate(error: unknown, paths: Paths): Promise<unknown> {
  if (!(error instanceof CommandFailed)) return translateDisk(error)
  if (/no space left/i.test(error.stderr) || (await freeBytes(paths.tmp)) < 16 * 1024 * 1024) return diskFull(error)
  if (/file too large/i.test(error.stderr) || error.signal === 'SIGXFSZ') {
    return resourceExhausted('IMAGE_TOO_LARGE', 'the image is too large: its root has more bytes than a root may have', { cause: error })
  }
  if (error.failure !== 'exit') return error
  return invalidArgument('LAYER_INVALID', 'the layers of the image cannot be put together', { field: 'reference', cause: error })
}

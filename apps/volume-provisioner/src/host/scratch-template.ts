import { mkdir, open, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Cloned, cloneFile, durableRename, type Runner } from '@berth/host'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte

/** Sizes a template is kept in: a disk is cloned from the largest that fits, and the guest grows its file system to the rest. */
const classes = [16 * mebibyte, 256 * mebibyte, gibibyte, 8 * gibibyte]

/** Raised when the way a template is made changes: old ones are then not used any more. */
const version = 1

export type ScratchTemplates = {
  /** Copies the template for a disk of `sizeBytes` to `to`, which is overwritten; the template is made when it is missing. */
  clone(sizeBytes: number, to: string, signal: AbortSignal): Promise<Cloned>
}

/** Size of the template that a disk of `sizeBytes` (at least 16 MiB) is cloned from. */
export function templateSize(sizeBytes: number): number {
  return classes.findLast((size) => size <= sizeBytes) ?? classes[0] ?? sizeBytes
}

/** Templates of empty ext4 file systems, made once per size and kept in `folder`. */
export async function scratchTemplates({ folder, runner }: { folder: string; runner: Runner }): Promise<ScratchTemplates> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const making = new Map<number, Promise<string>>()

  function template(size: number): Promise<string> {
    const known = making.get(size)
    if (known) return known
    const made = makeTemplate(runner, path.join(folder, `ext4-${version}-${size}.raw`), size)
    making.set(size, made)
    made.catch(() => making.delete(size))
    return made
  }

  return {
    async clone(sizeBytes, to, signal) {
      const size = templateSize(sizeBytes)
      const from = await template(size)
      signal.throwIfAborted()
      try {
        return await cloneFile(runner, from, to, { signal })
      } catch (error) {
        // Somebody may have removed it: the next try makes it again.
        if (!(await exists(from))) making.delete(size)
        throw error
      }
    },
  }
}

/** Not ended by one caller's signal: all who wait share it. */
async function makeTemplate(runner: Runner, file: string, sizeBytes: number): Promise<string> {
  if (await exists(file)) return file
  const temporary = `${file}.tmp`
  await rm(temporary, { force: true })
  {
    await using handle = await open(temporary, 'wx', 0o600)
    await handle.truncate(sizeBytes)
  }
  // The file is a hole, so mkfs marks inode tables as zeroed and writes none: the guest has no lazy zeroing to do, which would fill the disk.
  // The journal stays (a guest that loses power keeps its files) but small: it is written round and round and so takes its room for good.
  const journal = sizeBytes >= 256 * mebibyte ? ['-J', 'size=16'] : []
  const options = ['lazy_itable_init=1', 'lazy_journal_init=1', 'discard', 'root_owner=0:0'].join(',')
  const argv = ['mkfs.ext4', '-q', '-F', '-b', '4096', '-m', '0', ...journal, '-L', 'scratch', '-E', options, '--', temporary]
  await runner.run(argv, { timeoutMs: 60_000 })
  await durableRename(temporary, file)
  return file
}

async function exists(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

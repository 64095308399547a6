import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { failedPrecondition } from '@berth/errors'
import { fsyncPath } from '@berth/host'
import type { Digest } from '../domain/digest.ts'
import { type KernelPair, type KernelSource, pairFolder, parseKernelManifest } from '../domain/kernel-manifest.ts'
import { translateDisk } from './disk-errors.ts'
import type { Paths } from './paths.ts'

const MOST_BYTES = 1024 ** 3

const refused = (why: string) => failedPrecondition('KERNEL_INVALID', `the kernel is refused: ${why}`)

/** Kernels on this host, by the digests of both files. */
export interface KernelFiles {
  /** Paths of a pair; undefined when it is not here. */
  find(pair: Pick<KernelPair, 'kernel' | 'initramfs'>): Promise<{ kernel: string; initramfs: string } | undefined>
  /**
   * Takes what the guest folder holds, unless it is here already.
   *
   * @returns undefined when the folder holds no manifest
   * @throws FailedPrecondition(`KERNEL_INVALID`): other bytes than the manifest says, or no ELF kernel for this machine
   */
  take(guestDir: string): Promise<KernelPair | undefined>
}

export function kernelFiles(paths: Paths): KernelFiles {
  const pathsOf = (pair: Pick<KernelPair, 'kernel' | 'initramfs'>) => {
    const folder = join(paths.kernels, pairFolder(pair))
    return { kernel: join(folder, 'vmlinux'), initramfs: join(folder, 'initramfs') }
  }
  const find: KernelFiles['find'] = async (pair) => {
    const found = pathsOf(pair)
    const there = await Promise.all([found.kernel, found.initramfs].map((path) => stat(path).catch(() => undefined)))
    return there.every((file) => file?.isFile()) ? found : undefined
  }
  return {
    find,
    async take(guestDir) {
      const manifest = await readFile(join(guestDir, 'manifest.json')).catch(() => undefined)
      if (!manifest) return undefined
      const source = parseKernelManifest(manifest)
      if (!(await find(source))) await bring(paths, guestDir, source)
      return source
    },
  }
}

/** Copies first and checks the copy, so that what is checked is what is kept. */
async function bring(paths: Paths, guestDir: string, source: KernelSource): Promise<void> {
  const temporary = join(paths.tmp, `kernel-${pairFolder(source)}`)
  const final = join(paths.kernels, pairFolder(source))
  await rm(temporary, { recursive: true, force: true })
  try {
    await mkdir(temporary, { mode: 0o755 })
    for (const [from, name, digest] of [
      [source.kernelFile, 'vmlinux', source.kernel],
      [source.initramfsFile, 'initramfs', source.initramfs],
    ] as const) {
      const to = join(temporary, name)
      await copyFile(join(guestDir, from), to)
      await chmod(to, 0o644)
      await check(to, digest)
      await fsyncPath(to)
    }
    await checkKernel(join(temporary, 'vmlinux'))
    await chmod(temporary, 0o755)
    await fsyncPath(temporary)
    // A folder without both files is what an uninstall or a hand left over.
    await rm(final, { recursive: true, force: true })
    await rename(temporary, final)
    await fsyncPath(paths.kernels)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw translateDisk(error)
  }
}

async function check(path: string, digest: Digest): Promise<void> {
  await using file = await open(path, 'r')
  if ((await file.stat()).size > MOST_BYTES) throw refused('a file larger than 1 GiB')
  const hash = createHash('sha256')
  for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer)
  if (`sha256:${hash.digest('hex')}` !== digest) throw refused('its bytes are not what its manifest says')
}

/** ELF, 64 bit, little endian, x86-64, and not cut within its program headers. */
async function checkKernel(path: string): Promise<void> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
  const elf = bytesRead === 64 && buffer.readUInt32BE(0) === 0x7f454c46 && buffer[4] === 2 && buffer[5] === 1
  if (!elf || buffer.readUInt16LE(18) !== 62) throw refused('it is no ELF file for x86-64')
  const end = Number(buffer.readBigUInt64LE(32)) + buffer.readUInt16LE(54) * buffer.readUInt16LE(56)
  if (end > (await file.stat()).size) throw refused('it is cut short')
}

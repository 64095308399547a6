import { createHash } from 'node:crypto'
import { failedPrecondition } from '@berth/errors'
import { type Digest, digestOfHex, hexOf } from './digest.ts'
import { objectOf, parseJson } from './json.ts'

/** A kernel with the initramfs it was made with. */
export interface KernelPair {
  /** As `uname -r` says it. */
  version: string
  format: 'vmlinux'
  kernel: Digest
  initramfs: Digest
}

/** A pair as it lies in the guest folder, with the names of its files there. */
export interface KernelSource extends KernelPair {
  kernelFile: string
  initramfsFile: string
}

const refused = (why: string) => failedPrecondition('KERNEL_INVALID', `the guest folder's manifest is refused: ${why}`)

/**
 * Parses the manifest that is written beside a built kernel and initramfs.
 *
 * @throws FailedPrecondition(`KERNEL_INVALID`)
 */
export function parseKernelManifest(bytes: Uint8Array): KernelSource {
  const json = parseJson(bytes, refused)
  const kernel = objectOf(json.kernel, 'kernel', refused)
  const initramfs = objectOf(json.initramfs, 'initramfs', refused)
  if (typeof kernel.version !== 'string' || !/^[0-9][A-Za-z0-9.+~_-]{0,63}$/.test(kernel.version)) throw refused('a version that is none')
  if (kernel.format !== 'vmlinux') throw refused('a format that no VMM here loads')
  return {
    version: kernel.version,
    format: kernel.format,
    kernel: digestIn(kernel.sha256),
    initramfs: digestIn(initramfs.sha256),
    kernelFile: fileIn(kernel.file),
    initramfsFile: fileIn(initramfs.file),
  }
}

function digestIn(value: unknown): Digest {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw refused('a sha256 that is none')
  return digestOfHex(value)
}

function fileIn(value: unknown): string {
  if (typeof value !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value)) throw refused('a file name that is none')
  return value
}

/** Folder of a pair: both digests, so that a rebuilt agent is another pair. */
export const pairFolder = ({ kernel, initramfs }: Pick<KernelPair, 'kernel' | 'initramfs'>): string =>
  `${hexOf(kernel)}-${hexOf(initramfs)}`

/** Resource name of a pair: the version, and a few digits that tell pairs of one version apart. */
export function kernelName(pair: KernelPair): string {
  const version = pair.version
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
  const digits = createHash('sha256').update(pairFolder(pair)).digest('hex').slice(0, 8)
  return `linux-${version}-${digits}`.replace(/-+/g, '-')
}

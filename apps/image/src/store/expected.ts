import type { Database } from '@berth/db'
import type { Expected } from '../domain/audit.ts'
import { pairFolder } from '../domain/kernel-manifest.ts'
import { copiesOn } from './copies.ts'
import { KERNEL_PROJECT, type KernelStore } from './kernels.ts'

const hex = (digest: string) => digest.replace(/^sha256:/, '')

/** What the rows say should be on a host. */
export async function expectedOn(db: Database, kernels: KernelStore, host: string): Promise<Expected> {
  const copies = await copiesOn(db, host)
  return {
    copies: copies.map(({ imageId, state, digest, parts, extra }) => ({
      imageId,
      ready: state === 'READY',
      digest: hex(digest),
      parts: parts.map(hex),
      extra: extra.map(hex),
    })),
    kernels: (await kernels.all(KERNEL_PROJECT)).map((row) => ({
      id: row.id,
      folder: pairFolder({
        kernel: row.extra.kernelDigest as `sha256:${string}`,
        initramfs: row.extra.initramfsDigest as `sha256:${string}`,
      }),
      here: row.host === host,
    })),
  }
}

import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, hexOf } from '../domain/digest.ts'

/** Where things lie in the service's own folder. Every name is made of checked digests. */
export interface Paths {
  /** `<data>/image`. */
  home: string
  blobs: string
  roots: string
  kernels: string
  tmp: string
  blob(digest: Digest): string
  root(digest: Digest): string
  /** Work in progress on a blob: a file. */
  blobInProgress(digest: Digest): string
  /** Work in progress on a root: a folder. */
  rootInProgress(digest: Digest): string
}

export function pathsIn(dataDir: string): Paths {
  const home = join(dataDir, 'image')
  const [blobs, roots, kernels, tmp] = ['blobs/sha256', 'roots', 'kernels', 'tmp'].map((part) => join(home, part)) as [
    string,
    string,
    string,
    string,
  ]
  return {
    home,
    blobs,
    roots,
    kernels,
    tmp,
    blob: (digest) => join(blobs, hexOf(digest)),
    root: (digest) => join(roots, `${hexOf(digest)}.erofs`),
    blobInProgress: (digest) => join(tmp, `blob-${hexOf(digest)}`),
    rootInProgress: (digest) => join(tmp, `root-${hexOf(digest)}`),
  }
}

/** What this service leaves in its temp folder when it is killed. Anything else there is not ours and is left alone. */
export const ownTemp = /^(?:blob|root|kernel)-[0-9a-f-]{64,129}$/

/**
 * Makes the folders and removes what an earlier run left half done. The caller holds the data folder's lock, so nobody works there now.
 * VMMs open roots and kernels under uids of their own: the way there is passable, the rest is closed.
 */
export async function prepareFolders(paths: Paths): Promise<void> {
  for (const [folder, mode] of [
    [paths.home, 0o711],
    [paths.blobs, 0o700],
    [paths.roots, 0o711],
    [paths.kernels, 0o711],
    [paths.tmp, 0o700],
  ] as const) {
    await mkdir(folder, { recursive: true, mode: 0o755 })
    await chmod(folder, mode)
  }
  const left = (await readdir(paths.tmp)).filter((name) => ownTemp.test(name))
  for (const name of left) await rm(join(paths.tmp, name), { recursive: true, force: true })
}

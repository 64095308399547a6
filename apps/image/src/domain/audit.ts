/** One disagreement between the database and the host. */
export interface Finding {
  side: 'HOST_ONLY' | 'DATABASE_ONLY' | 'MISMATCH'
  kind: 'file' | 'folder' | 'row' | 'grant'
  name: string
  resourceId: string
  message: string
}

/** What the rows say should be here. */
export interface Expected {
  /** Copies on this host; parts and extra are digests in hex. */
  copies: { imageId: string; ready: boolean; digest: string; parts: string[]; extra: string[] }[]
  /** Folder names of kernel pairs, and the kernel each belongs to. Other hosts may have others, so a missing one counts only when it is `here`. */
  kernels: { id: string; folder: string; here: boolean }[]
}

/** An image that is kept for a resource of another service. */
export interface HeldImage {
  ownerId: string
  slot: string
  imageId: string
}

/** What is here: file names, with sizes where they tell something. */
export interface Found {
  blobs: string[]
  roots: string[]
  kernels: string[]
  tmp: string[]
}

/** Compares in both directions. What is on its way may be there or not. */
export function compare(expected: Expected, found: Found): Finding[] {
  const ready = expected.copies.filter((copy) => copy.ready)
  const namedBlobs = new Set(expected.copies.flatMap(({ parts, extra }) => [...parts, ...extra]))
  const namedRoots = new Set([...expected.copies.map(({ digest }) => digest), ...namedBlobs].map((hex) => `${hex}.erofs`))
  const busy = new Set(expected.copies.flatMap((copy) => (copy.ready ? copy.extra : [...copy.parts, copy.digest])))
  const blobs = new Set(found.blobs)
  const roots = new Set(found.roots)
  const kernels = new Set(found.kernels)
  const namedKernels = new Set(expected.kernels.map(({ folder }) => folder))
  return [
    ...found.blobs
      .filter((name) => !namedBlobs.has(name))
      .map((name) => orphan('file', `blobs/sha256/${name}`, 'a blob that no image names')),
    ...found.roots.filter((name) => !namedRoots.has(name)).map((name) => orphan('file', `roots/${name}`, 'a root that no image names')),
    ...found.kernels.filter((name) => !namedKernels.has(name)).map((name) => orphan('folder', `kernels/${name}`, 'a kernel without a row')),
    ...found.tmp
      .filter((name) => !busy.has(name.replace(/^(?:blob|root)-/, '')))
      .map((name) => orphan('file', `tmp/${name}`, 'work that nobody does')),
    ...ready.flatMap(({ imageId, digest, parts }) => [
      ...(roots.has(`${digest}.erofs`) ? [] : [missing('file', `roots/${digest}.erofs`, imageId, 'the root of an image is gone')]),
      ...parts
        .filter((part) => !blobs.has(part))
        .map((part) => missing('file', `blobs/sha256/${part}`, imageId, 'a blob of an image is gone')),
    ]),
    ...expected.kernels
      .filter(({ folder, here }) => here && !kernels.has(folder))
      .map(({ id, folder }) => missing('folder', `kernels/${folder}`, id, 'the files of a kernel are gone')),
  ]
}

const orphan = (kind: Finding['kind'], name: string, message: string): Finding => ({
  side: 'HOST_ONLY',
  kind,
  name,
  resourceId: '',
  message,
})
const missing = (kind: Finding['kind'], name: string, resourceId: string, message: string): Finding => ({
  side: 'DATABASE_ONLY',
  kind,
  name,
  resourceId,
  message,
})

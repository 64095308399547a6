import type { Lease } from '@berth/controller'
import type { Orphan, Slice } from '@berth/controller/audit/clean-host'
import { ownDatabase } from '@berth/controller/audit/own-database'
import type { Database, ResourceMessage, ResourceStore } from '@berth/db'
import { notFound } from '@berth/errors'
import type { Events } from '@berth/events'
import { keyedLock } from '@berth/host'
import type { Logger } from '@berth/telemetry'
import type { Digest } from './domain/digest.ts'
import { orphanFiles } from './domain/orphans.ts'
import type { Library } from './domain/ports.ts'
import { discardFile, filesInUse, takeInventory } from './host/inventory.ts'
import type { KernelFiles } from './host/kernel-files.ts'
import type { Paths } from './host/paths.ts'
import { PARTS } from './loops/work.ts'
import type { Owner, PageRequest, RouteContext } from './routes/context.ts'
import { imageHolds } from './store/ensure.ts'
import { expectedOn } from './store/expected.ts'
import { holdsHere } from './store/holds.ts'
import type { ImageStore } from './store/images.ts'
import { KERNEL_PROJECT, type KernelRow, type KernelStore } from './store/kernels.ts'
import { imageVerbs } from './store/verbs.ts'

export interface Parts {
  db: Database
  lease: Lease
  events: Events
  images: ImageStore
  kernels: { files: KernelFiles; store: KernelStore }
  /** Kernel this host took in; undefined when there was none. */
  pair: KernelRow | undefined
  library: Library
  paths: Paths
  /** The data folder of the system. */
  dataDir: string
  logger: Logger
  /** Has the loop look at an image now. */
  wake(imageId: string): void
}

/** Puts what the routes call together. */
export function routeContext(parts: Parts): RouteContext {
  const { db, lease, events, images, kernels, library, paths, wake } = parts
  const holds = imageHolds(images, lease.hostId)
  // An owner that gives up releases while its ensure may still be writing: the release comes after it, and no ensure after that.
  const lock = keyedLock()
  const inTurn = <T>({ kind, id, slot }: Owner, signal: AbortSignal, work: () => Promise<T>) => lock(`${kind}/${id}/${slot}`, signal, work)
  const verbs = imageVerbs(images, lease.hostId)
  return {
    hostId: lease.hostId,
    epoch: BigInt(lease.epoch),
    rootPath: (digest) => paths.root(digest as Digest),
    images: {
      get: async (project, reference) => images.toMessage(await images.get(project, reference)),
      list: (project, page) => pageOf(images, project, page),
      watch: (project, { filter, resumeToken }, signal) => events.watchResources(images, { project, filter, resumeToken, signal }),
      async pull(caller, request) {
        const accepted = await verbs.pull(caller, request)
        if (accepted.image) wake(accepted.image.id)
        return accepted
      },
      delete: verbs.delete,
      release: (owner, signal) => inTurn(owner, signal, () => holds.release(owner)),
    },
    ensure: {
      ensure: async (input, signal) => {
        const ensured = await inTurn(input.owner, signal, () => holds.ensure(input))
        return { ...ensured, imageId: ensured.image.id }
      },
      hasRoot: async (digest) => (await library.findRoot(digest as Digest)) !== undefined,
      lost: (imageId) => holds.lost(imageId, 'berth-image'),
      wake,
      changed: (id, timeoutMs, signal) => events.wakes.next(id, { signal, timeoutMs }),
      nowMs: () => performance.now(),
    },
    kernels: {
      get: async (reference) => kernels.store.toMessage(await kernels.store.get(KERNEL_PROJECT, reference)),
      list: (page) => pageOf(kernels.store, KERNEL_PROJECT, page),
      watch: ({ filter, resumeToken }, signal) =>
        events.watchResources(kernels.store, { project: KERNEL_PROJECT, filter, resumeToken, signal }),
      grant: (reference) => grantKernel(parts, reference),
    },
    audit: async () => ({
      expected: await expectedOn(db, kernels.store, lease.hostId),
      found: await takeInventory(paths),
      holds: await db.read((queries) => holdsHere(queries, lease.hostId)),
    }),
    clean: cleaning(parts),
  }
}

/** Whoever begins to name parts does it under the same key: nothing gets a row while it is removed for having none. */
function cleaning({ db, lease, kernels, library, paths, dataDir, logger }: Parts): Slice {
  const orphans = async (): Promise<Orphan[]> => {
    // The folder first: what is there now has had its row before.
    const [found, open] = await Promise.all([takeInventory(paths), filesInUse(paths)])
    const files = orphanFiles(await expectedOn(db, kernels.store, lease.hostId), found, open)
    return files.map((file) => ({ ...file, remove: () => discardFile(paths, file.name) }))
  }
  return {
    service: 'image',
    hostId: lease.hostId,
    sure: () => ownDatabase({ db, dataDir, lease }),
    orphans,
    exclusively: (signal, work) => library.exclusively(PARTS, signal, work),
    logger,
  }
}

async function grantKernel({ kernels, pair }: Parts, reference: string) {
  const row = reference === '' ? pair : await kernels.store.get(KERNEL_PROJECT, reference)
  const digests = row && { kernel: row.extra.kernelDigest as Digest, initramfs: row.extra.initramfsDigest as Digest }
  const found = digests && (await kernels.files.find(digests))
  if (!row || !found)
    throw notFound('KERNEL_NOT_FOUND', reference === '' ? 'this host has no kernel' : `no kernel “${reference}” on this host`)
  return { kernel: kernels.store.toMessage(row), kernelPath: found.kernel, initramfsPath: found.initramfs }
}

async function pageOf<M extends ResourceMessage, Extra>(store: ResourceStore<M, Extra>, project: string, page: PageRequest) {
  const { rows, nextPageToken } = await store.list(project, page)
  return { items: rows.map((row) => store.toMessage(row)), nextPageToken }
}

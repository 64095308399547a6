import { type Database, type Fence, newId, type ResourceStore, resourceStore, type Stored, type Tx } from '@berth/db'
import { ConditionSchema, ConditionStatus } from '@berth/proto/berth/common/v1/resource_pb.ts'
import { type Kernel, KernelSchema, KernelSpecSchema, KernelStatusSchema } from '@berth/proto/berth/image/v1/image_pb.ts'
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { and, eq, sql } from 'drizzle-orm'
import { type KernelPair, kernelName } from '../domain/kernel-manifest.ts'
import { kernels } from './tables.ts'

export type KernelExtra = { kernelDigest: string; initramfsDigest: string }
export type KernelRow = Stored<Kernel, KernelExtra>
export type KernelStore = ResourceStore<Kernel, KernelExtra>

/** Kernels are the operator's: they live in the project every installation has, and every project sees them. */
export const KERNEL_PROJECT = 'default'

export const kernelStore = (db: Database): KernelStore =>
  resourceStore({ db, table: kernels, kind: 'kernel', idPrefix: 'knl', schema: KernelSchema })

/** Records the pair that a host took in last and makes it the default. Nothing is written when it is that already. */
export async function recordKernel(store: KernelStore, lease: Fence, pair: KernelPair): Promise<KernelRow> {
  const known = await find(store, pair)
  if (known?.status.isDefault) return known
  return store.db.transaction('kernel.import', async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('berth kernels', 0))`)
    for (const row of await store.all(KERNEL_PROJECT, tx)) {
      if (row.status.isDefault) await setDefault(tx, store, lease, row, false)
    }
    const found = (await find(store, pair, tx)) ?? (await insert(tx, store, lease.hostId, pair))
    return setDefault(tx, store, lease, found, true)
  })
}

async function setDefault(tx: Tx, store: KernelStore, lease: Fence, { id }: KernelRow, isDefault: boolean): Promise<KernelRow> {
  const row = await store.lockById(tx, id)
  if (!row) throw new Error('a kernel went away while its transaction ran')
  return store.updateStatus(tx, lease, row, { ...row.status, isDefault })
}

function insert(tx: Tx, store: KernelStore, host: string, pair: KernelPair): Promise<KernelRow> {
  const ready = {
    type: 'Ready',
    status: ConditionStatus.TRUE,
    reason: 'IMPORTED',
    lastTransitionTime: timestampFromDate(new Date()),
    observedGeneration: 1n,
  }
  return store.insert(tx, {
    id: newId('knl'),
    project: KERNEL_PROJECT,
    name: kernelName(pair),
    spec: create(KernelSpecSchema, { version: pair.version, architecture: 'x86_64' }),
    status: create(KernelStatusSchema, {
      observedGeneration: 1n,
      conditions: [create(ConditionSchema, ready)],
      kernelDigest: pair.kernel,
      initramfsDigest: pair.initramfs,
      format: pair.format,
    }),
    host,
    creator: 'berth-image',
    extra: { kernelDigest: pair.kernel, initramfsDigest: pair.initramfs },
  })
}

async function find(store: KernelStore, pair: KernelPair, tx?: Tx): Promise<KernelRow | undefined> {
  const where = and(eq(kernels.kernelDigest, pair.kernel), eq(kernels.initramfsDigest, pair.initramfs))
  const [row] = await (tx ?? store.db.queries).select({ id: kernels.id }).from(kernels).where(where)
  return row && store.byId(row.id, tx)
}

import { type Database, type Fence, resourceVerbs } from '@berth/db'
import { invalidArgument, notFound } from '@berth/errors'
import {
  CreateVolumeRequestSchema,
  DeleteVolumeRequestSchema,
  VolumeService,
  VolumeSpecSchema,
  VolumeState,
  VolumeStatusSchema,
} from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { create } from '@bufbuild/protobuf'
import { and, eq } from 'drizzle-orm'
import type { PublicVolumes } from '../domain/ports.ts'
import { checkSize } from '../domain/size.ts'
import { refuseUsed } from '../domain/use.ts'
import { attachmentsOf } from './attachments.ts'
import { volumeStore } from './disks.ts'

/** The project's volumes behind the public calls. */
export function publicVolumes({ db, lease, pool }: { db: Database; lease: Fence; pool: string }): PublicVolumes {
  const store = volumeStore(db)
  const verbs = resourceVerbs(store)
  const method = (name: string) => `${VolumeService.typeName}/${name}`

  async function checkHost(host: string): Promise<void> {
    const { leases } = db.tables
    const where = and(eq(leases.hostId, host), eq(leases.service, lease.service))
    const found = host === lease.hostId || (await db.read((queries) => queries.select().from(leases).where(where))).length > 0
    if (!found) throw notFound('HOST_NOT_FOUND', `no host “${host}”`, { field: 'host', metadata: { host } })
  }

  return {
    async get(project, reference) {
      return store.toMessage(await store.get(project, reference))
    },
    async list(project, page) {
      const { rows, nextPageToken } = await store.list(project, page)
      return { volumes: rows.map(store.toMessage), nextPageToken }
    },
    async create(caller, message) {
      checkSize(Number(message.sizeBytes))
      if (message.pool !== '' && message.pool !== pool)
        throw invalidArgument('POOL_UNKNOWN', `no pool “${message.pool}” on the host`, { field: 'pool', metadata: { pool: message.pool } })
      const host = message.host || lease.hostId
      await checkHost(host)
      return verbs.create(
        { caller, method: method('CreateVolume'), schema: CreateVolumeRequestSchema, message },
        {
          name: message.name,
          labels: message.labels,
          host,
          spec: create(VolumeSpecSchema, { sizeBytes: message.sizeBytes, pool }),
          status: create(VolumeStatusSchema, { state: VolumeState.PENDING }),
        },
        'volume.create',
      )
    },
    async delete(caller, message) {
      const request = { caller, method: method('DeleteVolume'), schema: DeleteVolumeRequestSchema, message }
      return verbs.change(request, { reference: message.id, etag: message.etag }, async (volume, tx) => {
        if (volume.deleteTime !== null) return { joins: 'volume.delete' }
        refuseUsed(volume.name, await attachmentsOf(tx, volume.id))
        return { delete: true, operation: 'volume.delete' }
      })
    },
  }
}

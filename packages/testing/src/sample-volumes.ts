import { create } from '@bufbuild/protobuf'
import { CreateVolumeRequestSchema, VolumeSchema, VolumeSpecSchema, VolumeStatusSchema } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { pgSchema, text } from 'drizzle-orm/pg-core'
import { type Database, resourceStore, resourceTable, resourceVerbs } from '@berth/db'

/** A table of resources for the tests of packages; services have the like in their migrations. */
export const volumesSql = `
create table volume.test_volumes (
  id text primary key,
  project text not null,
  name text not null,
  labels jsonb not null default '{}',
  annotations jsonb not null default '{}',
  spec jsonb not null,
  status jsonb not null,
  generation bigint not null default 1,
  observed_generation bigint not null default 0,
  host text not null,
  create_time timestamptz(3) not null default now(),
  update_time timestamptz(3) not null default now(),
  delete_time timestamptz(3),
  creator text not null,
  path text,
  constraint test_volumes_project_name_key unique (project, name)
);
grant select, insert, update, delete on volume.test_volumes to berth_volume;
`

export const sampleVolumes = resourceTable(pgSchema('volume'), 'test_volumes', { path: text('path') })

export function volumeStore(db: Database) {
  return resourceStore({ db, table: sampleVolumes, kind: 'volume', idPrefix: 'vol', schema: VolumeSchema })
}

export const sampleCaller = { actor: 'key_test', project: 'default' }

export function createRequest(name: string, requestId = '', sizeBytes = 1n << 20n) {
  const message = create(CreateVolumeRequestSchema, { name, sizeBytes, requestId })
  return { caller: sampleCaller, method: 'berth.volume.v1.VolumeService/CreateVolume', schema: CreateVolumeRequestSchema, message }
}

export function createVolume(
  db: Database,
  name: string,
  requestId = '',
  { sizeBytes, host = 'hst_a' }: { sizeBytes?: bigint; host?: string } = {},
) {
  const request = createRequest(name, requestId, sizeBytes)
  const spec = create(VolumeSpecSchema, { sizeBytes: request.message.sizeBytes, pool: 'default' })
  return resourceVerbs(volumeStore(db)).create(request, { name, spec, status: create(VolumeStatusSchema), host }, 'volume.create')
}

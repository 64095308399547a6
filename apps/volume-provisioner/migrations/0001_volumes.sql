create table volume.volumes (
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
  constraint volumes_project_name_key unique (project, name)
);
create index volumes_host on volume.volumes (host);

-- Disks that belong to their owners and are in no list of the project.
create table volume.scratch_disks (
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
  owner_kind text not null,
  owner_id text not null,
  owner_slot text not null,
  constraint scratch_disks_project_name_key unique (project, name),
  constraint scratch_disks_owner_key unique (owner_kind, owner_id, owner_slot)
);
create index scratch_disks_host on volume.scratch_disks (host);

-- Who may open which disk: written before the file is handed over, removed after it was taken back.
create table volume.attachments (
  owner_kind text not null,
  owner_id text not null,
  owner_slot text not null,
  disk_id text not null,
  host text not null,
  uid bigint not null,
  read_only boolean not null,
  releasing boolean not null default false,
  epoch bigint not null,
  create_time timestamptz(3) not null default now(),
  constraint attachments_pkey primary key (owner_kind, owner_id, owner_slot)
);
create index attachments_disk on volume.attachments (disk_id);
create index attachments_host on volume.attachments (host);
-- The writer's lease: one at a time, whatever the code thinks.
create unique index attachments_writer_key on volume.attachments (disk_id) where not read_only;

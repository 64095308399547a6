create table image.images (
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
  -- The reference in full; one living image of a project has it.
  reference text not null,
  constraint images_project_name_key unique (project, name)
);
create unique index images_reference on image.images (project, reference) where delete_time is null;

-- What one host has of an image.
create table image.image_copies (
  image_id text not null references image.images (id),
  host text not null,
  state text not null check (state in ('PENDING', 'READY')),
  -- Digest of the manifest, which names the root; empty until it is known.
  digest text not null default '',
  -- Digests of all that the copy is made of: manifest, configuration, layers.
  parts text[] not null default '{}',
  -- Digests of what is on the host because of this copy without being part of it: a newer version on its way, an older one to be removed.
  extra text[] not null default '{}',
  ready_time timestamptz(3),
  primary key (image_id, host)
);
create index image_copies_host on image.image_copies (host, state);
create index image_copies_parts on image.image_copies using gin (parts);
create index image_copies_extra on image.image_copies using gin (extra);

-- Who uses an image. A hold without an image tells its owner why there is none.
create table image.image_holds (
  owner_kind text not null,
  owner_id text not null,
  owner_slot text not null,
  project text not null,
  host text not null,
  image_id text references image.images (id),
  error jsonb,
  create_time timestamptz(3) not null default now(),
  primary key (owner_kind, owner_id, owner_slot),
  check ((image_id is null) <> (error is null))
);
create index image_holds_image on image.image_holds (image_id);

create table image.kernels (
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
  kernel_digest text not null,
  initramfs_digest text not null,
  constraint kernels_project_name_key unique (project, name),
  constraint kernels_files_key unique (kernel_digest, initramfs_digest)
);

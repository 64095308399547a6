create table device.devices (
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
  address text not null,
  -- What obstacles follow from and the status does not show: virtual functions, physical function, uses by the host.
  facts jsonb not null,
  constraint devices_project_name_key unique (project, name),
  constraint devices_address_key unique (host, address)
);

create table instance.instances (
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
  -- Uid of its VMM; one range for all hosts, since several may share a machine.
  uid integer not null,
  -- Last entry of the shim's journal that the status tells of.
  journal_seq bigint not null default 0,
  -- How long its guest may take to stop, as the last stop said.
  stop_grace_ms integer not null default 10000,
  -- When we began to end the VM that runs; null: we have not.
  stop_begun timestamptz(3),
  -- Why its creation failed and is being undone; null: it has not.
  failure jsonb,
  constraint instances_project_name_key unique (project, name),
  constraint instances_uid_key unique (uid)
);
create index instances_host on instance.instances (host);
-- The name of its run folder and control group.
create unique index instances_short_name on instance.instances (right(id, 10));
-- What each host is, as its own service announced it.
create table instance.hosts (
  id text primary key,
  facts jsonb not null
);

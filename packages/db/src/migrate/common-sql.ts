/** A step of a schema, applied once and in order. `name` begins with four digits. */
export type Migration = { name: string; sql: string }

/** What `tables/common.ts` describes, for one schema. Later changes are further entries: expand first, contract a release later. */
export function commonMigrations(schema: string): Migration[] {
  return [
    { name: '0000_common', sql: first(schema) },
    { name: '0000_relay_turn', sql: relayTurn(schema) },
  ]
}

function first(schema: string): string {
  return `
create table ${schema}.operations (
  id text primary key,
  project text not null,
  kind text not null,
  resource_id text not null,
  resource_name text not null,
  actor text not null,
  priority text not null default 'DEFAULT',
  not_before timestamptz(3),
  state text not null default 'PENDING' check (state in ('PENDING', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
  stage text not null default '',
  done bigint not null default 0,
  total bigint not null default 0,
  unit text not null default '',
  stages jsonb not null default '[]',
  attempts integer not null default 0,
  error jsonb,
  host text not null,
  create_time timestamptz(3) not null default now(),
  start_time timestamptz(3),
  end_time timestamptz(3),
  cancel_requested boolean not null default false
);
create index operations_open on ${schema}.operations (resource_id) where end_time is null;
create index operations_project on ${schema}.operations (project, id);
create index operations_ended on ${schema}.operations (end_time) where end_time is not null;

create table ${schema}.outbox (
  ord bigint generated always as identity primary key,
  id text not null,
  seq bigint,
  project text not null,
  kind text not null,
  resource_id text not null,
  verb text not null,
  generation bigint not null,
  actor text not null,
  resource jsonb not null,
  create_time timestamptz(3) not null default now(),
  seq_time timestamptz(3),
  publish_time timestamptz(3)
);
create unique index outbox_id_key on ${schema}.outbox (id);
create unique index outbox_seq_key on ${schema}.outbox (seq);
create index outbox_new on ${schema}.outbox (ord) where seq is null;
create index outbox_unpublished on ${schema}.outbox (seq) where publish_time is null;

create table ${schema}.relay (
  "only" boolean primary key default true check ("only"),
  last_seq bigint not null default 0,
  floor_seq bigint not null default 0
);
insert into ${schema}.relay default values;

create table ${schema}.request_ids (
  project text not null,
  actor text not null,
  method text not null,
  request_id text not null,
  body_hash text not null,
  resource_id text not null default '',
  operation_id text not null default '',
  create_time timestamptz(3) not null default now(),
  primary key (project, actor, method, request_id)
);
create index request_ids_age on ${schema}.request_ids (create_time);

create table ${schema}.leases (
  service text not null,
  host_id text not null,
  boot_id text not null,
  epoch bigint not null,
  address text not null,
  heartbeat timestamptz(3) not null default now(),
  primary key (service, host_id)
);

create table ${schema}.cluster (
  "only" boolean primary key default true check ("only"),
  id text not null
);
`
}

/**
 * Gives up to `most` waiting rows of the outbox their places, in one round trip. Every statement of the function sees what was committed before it
 * began: so whoever waited for the lock on the relay's row misses nothing and gives no place twice.
 */
function relayTurn(schema: string): string {
  return `
create function ${schema}.relay_turn(most integer) returns setof jsonb language plpgsql as $$
declare
  head bigint;
begin
  if not exists (select from ${schema}.outbox where seq is null) then return; end if;
  select last_seq into head from ${schema}.relay for update;
  return query
    with waiting as (select ord from ${schema}.outbox where seq is null order by ord limit most),
    places as (select ord, head + row_number() over (order by ord) as place from waiting),
    given as (update ${schema}.outbox o set seq = place, seq_time = now() from places where o.ord = places.ord returning o.*),
    moved as (update ${schema}.relay set last_seq = head + (select count(*) from places))
    select to_jsonb(given) from given;
end
$$;
`
}

create table access.api_keys (
  id text primary key,
  hash text not null,
  name text not null,
  project text not null,
  roles text[] not null,
  create_time timestamptz(3) not null default now(),
  last_used_time timestamptz(3),
  revoke_time timestamptz(3),
  constraint api_keys_hash_key unique (hash)
);

create table access.signing_keys (
  kid text primary key,
  public_key text not null,
  host text not null,
  create_time timestamptz(3) not null default now(),
  not_after timestamptz(3) not null
);
create index signing_keys_not_after on access.signing_keys (not_after);

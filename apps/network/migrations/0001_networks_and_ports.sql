create table network.networks (
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
  constraint networks_project_name_key unique (project, name)
);

-- What the names of a host's bridges, taps and tables carry, so that two hosts on one machine are told apart.
create table network.host_names (
  host text primary key,
  short text not null,
  constraint host_names_short_key unique (short)
);

-- A network on one host.
create table network.network_hosts (
  network_id text not null,
  host text not null,
  bridge text not null,
  mac text not null,
  ipv4_subnet text not null,
  ipv4_gateway text not null,
  ipv6_subnet text not null,
  choice_reason text not null,
  ready boolean not null default false,
  message text not null default '',
  accepts jsonb not null default '[]',
  constraint network_hosts_pkey primary key (network_id, host),
  constraint network_hosts_bridge_key unique (bridge),
  constraint network_hosts_ipv4_key unique (network_id, ipv4_subnet),
  constraint network_hosts_host_ipv4_key unique (host, ipv4_subnet),
  constraint network_hosts_ipv6_key unique (ipv6_subnet)
);
create index network_hosts_host on network.network_hosts (host);

create table network.ports (
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
  network_id text not null,
  owner_kind text not null,
  owner_id text not null,
  owner_slot text not null,
  address_number bigint not null,
  ipv4 text not null,
  ipv6 text not null,
  mac text not null,
  tap text not null,
  uid bigint not null,
  want_up boolean not null,
  hostname text not null,
  constraint ports_project_name_key unique (project, name),
  constraint ports_owner_key unique (owner_kind, owner_id, owner_slot),
  constraint ports_number_key unique (network_id, host, address_number),
  constraint ports_ipv4_key unique (network_id, ipv4),
  constraint ports_ipv6_key unique (ipv6),
  constraint ports_mac_key unique (mac),
  constraint ports_tap_key unique (tap)
);
create index ports_host on network.ports (host);

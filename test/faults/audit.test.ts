import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createClient } from '@berth/db'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { create, ended } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

const ULID = '0000000000000000000000beef'
const SHORT = ULID.slice(-10)
const HEX = 'beef'.repeat(16)

let registry: TestRegistry
let system: TestSystem
let sql: ReturnType<typeof createClient>
let facts: {
  host: string
  running: string
  stopped: string
  volume: string
  bridge: string
  network: string
  tap: string
  port: string
  mac: string
  ipv4: string
  table: string
  pool: string
}
/** Takes back what a test planted. */
let undo: (() => unknown)[] = []

beforeAll(async () => {
  registry = await startRegistry()
  system = await startTestSystem({ portOffset: 4000, env: { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host } })
  sql = createClient({ url: system.databaseUrl, pool: 1 })
  const image = await publish(registry, 'audited', busyboxImage().image)
  const { api } = system
  const running = await create(api, 'running', image)
  const stopped = await create(api, 'stopped', image)
  await ended(api, (await api.instances.stopInstance({ id: stopped.id })).operation, OperationState.DONE)
  const { volume, operation } = await api.volumes.createVolume({ name: 'data', sizeBytes: 1n << 20n })
  await ended(api, operation, OperationState.DONE)
  const [port] = await sql`select id, tap, mac, ipv4, network_id from network.ports where owner_id = ${running.id}`
  const [place] = await sql`select bridge from network.network_hosts where network_id = ${port?.['network_id']}`
  const [names] = await sql`select short from network.host_names`
  const pools = readdirSync(path.join(system.dataDir, 'volume'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const pool = pools
    .map(({ name }) => path.join(system.dataDir, 'volume', name))
    .find((it) => existsSync(path.join(it, `${volume?.id}.raw`)))
  facts = {
    ...{ host: running.host, running: running.id, stopped: stopped.id, volume: volume?.id ?? '', pool: pool ?? '' },
    ...{ bridge: String(place?.['bridge']), network: String(port?.['network_id']), tap: String(port?.['tap']), port: String(port?.['id']) },
    ...{ mac: String(port?.['mac']), ipv4: String(port?.['ipv4']), table: `berth_${names?.['short']}` },
  }
})
afterEach(async () => {
  for (const take of undo.toReversed()) await take()
  undo = []
})
afterAll(async () => {
  await sql?.end()
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

interface Finding {
  readonly service: string
  readonly side: string
  readonly kind: string
  readonly name: string
  readonly resourceId?: string
}

async function audit(): Promise<Finding[]> {
  const { code, stdout, stderr } = await system.cli('doctor', '--audit', '-o', 'json')
  const { findings = [] } = JSON.parse(stdout || `{"findings":[{"name":${JSON.stringify(stderr)}}]}`) as { findings?: Finding[] }
  expect(code).toBe(findings.length > 0 ? 1 : 0)
  return findings.map(({ side, ...rest }) => ({ ...rest, side: side?.replace('FINDING_SIDE_', '') }))
}

/** One thing that is not as it should be, and how the audit must name it. */
interface Orphan {
  readonly what: string
  readonly plant: () => unknown
  readonly finding: () => Partial<Finding>
}
const orphan = (what: string, plant: () => unknown, finding: () => Partial<Finding>): Orphan => ({ what, plant, finding })

/** The services repair some of this within seconds: what they were faster with is planted again. */
async function mustBeNamed({ what, plant, finding }: Orphan): Promise<void> {
  const wanted = finding()
  let last: Finding[] = []
  for (let attempt = 0; attempt < 4; attempt += 1) {
    await plant()
    last = await audit()
    if (last.some((one) => Object.entries(wanted).every(([key, value]) => one[key as keyof Finding] === value))) return
  }
  expect(last, what).toContainEqual(expect.objectContaining(wanted))
}

const data = (...parts: string[]) => path.join(system.dataDir, ...parts)
const sh = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const quietly = (command: string, ...args: string[]) => {
  try {
    sh(command, ...args)
  } catch {
    // It is so already.
  }
}

function file(...parts: string[]): void {
  const name = data(...parts)
  writeFileSync(name, 'planted')
  undo.push(() => rmSync(name, { force: true }))
}

function folder(name: string): void {
  mkdirSync(name, { recursive: true })
  undo.push(() => rmSync(name, { recursive: true, force: true }))
}

/** Hides something; it is there again after the test. */
function away(name: string): void {
  if (!existsSync(name)) return
  renameSync(name, data('hidden'))
  undo.push(() => (rmSync(name, { recursive: true, force: true }), renameSync(data('hidden'), name)))
}

/** A process with these words as its command line. */
function processOf(name: string, lastWord: string): void {
  const child: ChildProcess = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', '--', lastWord], {
    argv0: name,
    stdio: 'ignore',
  })
  undo.push(() => child.kill('SIGKILL'))
}

const status = (table: string, id: string, member: string, value: string) => async () => {
  const [before] = await sql`select status from ${sql(table)} where id = ${id}`
  undo.push(() => sql`update ${sql(table)} set status = ${before?.['status'] as never} where id = ${id}`)
  await sql`update ${sql(table)} set status = jsonb_set(status, ${`{${member}}`}, to_jsonb(${value}::text)) where id = ${id}`
}

/** Digests of the image's copy, in hex: of its root and of one blob. */
async function copy(): Promise<{ root: string; blob: string }> {
  const [row] = await sql`select digest, parts[1] as part from image.image_copies where state = 'READY'`
  const hex = (name: string) => String(row?.[name]).replace(/^sha256:/, '')
  return { root: hex('digest'), blob: hex('part') }
}

it('a system at work is clean, and the audit says how much it compared', async () => {
  expect(await audit()).toEqual([])
  const { compared } = await system.api.audit.auditHost({})
  for (const kind of ['row', 'file', 'folder', 'process', 'bridge', 'tap', 'rule', 'address', 'lease']) {
    expect({ kind, counted: Number(compared[kind] ?? 0) > 0 }).toEqual({ kind, counted: true })
  }
})

describe('what is of a VM', () => {
  const service = 'instance'
  it.each([
    orphan(
      'a process without a row',
      () => processOf('berth-shim', data('instance', `ins_${ULID}`, 'launch.json')),
      () => ({ service, side: 'HOST_ONLY', kind: 'process' }),
    ),
    orphan(
      'a folder without a row',
      () => folder(data('instance', `ins_${ULID}`)),
      () => ({ service, side: 'HOST_ONLY', kind: 'folder', name: data('instance', `ins_${ULID}`) }),
    ),
    orphan(
      'a run folder with its sockets without a row',
      () => folder(path.join(system.runDir, SHORT)),
      () => ({ service, side: 'HOST_ONLY', kind: 'socket', name: path.join(system.runDir, SHORT) }),
    ),
    orphan(
      'a control group without a row',
      () => controlGroup(`berth-${facts.host.slice(-8)}-${SHORT}`),
      () => ({ service, side: 'HOST_ONLY', kind: 'cgroup', name: `berth-${facts.host.slice(-8)}-${SHORT}` }),
    ),
    orphan(
      'a row of a running instance without a process',
      () => status('instance.instances', facts.stopped, 'state', 'INSTANCE_STATE_RUNNING')(),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'process', resourceId: facts.stopped }),
    ),
    orphan(
      'a row of a started instance without its folder',
      () => away(data('instance', facts.running)),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'folder', resourceId: facts.running }),
    ),
    orphan(
      'a process of an instance that is off by its row',
      () => status('instance.instances', facts.running, 'state', 'INSTANCE_STATE_STOPPED')(),
      () => ({ service, side: 'MISMATCH', kind: 'process', resourceId: facts.running }),
    ),
  ])('$what is named', (one) => mustBeNamed(one))
})

/** In the first hierarchy that lets us: where VMs get theirs. */
function controlGroup(name: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const roots = mounts.flatMap((line) => {
    const [, root = '', type, options = ''] = line.split(' ')
    return type === 'cgroup2' || (type === 'cgroup' && /(^|,)(memory|cpu)(,|$)/.test(options)) ? [path.join(root, name)] : []
  })
  for (const group of roots) quietly('mkdir', group)
  undo.push(() => roots.forEach((group) => quietly('rmdir', group)))
}

describe('what is of a volume', () => {
  const service = 'volume'
  const raw = () => path.join(facts.pool, `${facts.volume}.raw`)
  it.each([
    orphan(
      'a disk without a row',
      () => file(path.relative(system.dataDir, facts.pool), `vol_${ULID}.raw`),
      () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `vol_${ULID}.raw` }),
    ),
    orphan(
      'what an unfinished try left',
      () => file(path.relative(system.dataDir, facts.pool), `${facts.volume}.raw.tmp`),
      () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `${facts.volume}.raw.tmp` }),
    ),
    orphan(
      'a row without its disk',
      () => away(raw()),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'row', resourceId: facts.volume }),
    ),
    orphan(
      'a disk of another size',
      () => (truncateSync(raw(), 4096), undo.push(() => truncateSync(raw(), 1 << 20))),
      () => ({ service, side: 'MISMATCH', kind: 'file', resourceId: facts.volume }),
    ),
    orphan(
      'a disk that somebody may open who was not granted it',
      () => (chownSync(raw(), 900_001, 900_001), undo.push(() => chownSync(raw(), 0, 0))),
      () => ({ service, side: 'MISMATCH', kind: 'grant', resourceId: facts.volume }),
    ),
    orphan('a writer without a lease', status0('volume.volumes', 'writer'), () => ({
      ...{ service, side: 'MISMATCH', kind: 'lease', resourceId: facts.volume },
    })),
    orphan(
      'a lease of a disk that is in no table',
      async () => {
        undo.push(() => sql`delete from volume.attachments where disk_id = ${`vol_${ULID}`}`)
        await sql`insert into volume.attachments (owner_kind, owner_id, owner_slot, disk_id, host, uid, read_only, epoch)
          values ('instance', ${`ins_${ULID}`}, 'disk0', ${`vol_${ULID}`}, ${facts.host}, 900001, false, 1) on conflict do nothing`
      },
      () => ({ service, side: 'DATABASE_ONLY', kind: 'lease', name: `instance/ins_${ULID}/disk0` }),
    ),
  ])('$what is named', (one) => mustBeNamed(one))

  function status0(table: string, member: string) {
    return () => status(table, facts.volume, member, `ins_${ULID}`)()
  }
})

describe('what is of an image', () => {
  const service = 'image'
  const kernel = () => readdirSync(data('image/kernels'))[0] ?? ''
  it.each([
    orphan(
      'a blob without a row',
      () => file('image/blobs/sha256', HEX),
      () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `blobs/sha256/${HEX}` }),
    ),
    orphan(
      'a root without a row',
      () => file('image/roots', `${HEX}.erofs`),
      () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `roots/${HEX}.erofs` }),
    ),
    orphan(
      'a download that nobody does',
      () => file('image/tmp', `blob-${HEX}`),
      () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `tmp/blob-${HEX}` }),
    ),
    orphan(
      'a kernel without a row',
      () => folder(data('image/kernels', HEX)),
      () => ({ service, side: 'HOST_ONLY', kind: 'folder', name: `kernels/${HEX}` }),
    ),
    orphan(
      'a row without its root',
      async () => away(data('image/roots', `${(await copy()).root}.erofs`)),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'file' }),
    ),
    orphan(
      'a row without a blob of it',
      async () => away(data('image/blobs/sha256', (await copy()).blob)),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'file' }),
    ),
    orphan(
      'a row of a kernel without its files',
      () => away(data('image/kernels', kernel())),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'folder' }),
    ),
  ])('$what is named', (one) => mustBeNamed(one))
})

describe('what is of a network', () => {
  const service = 'network'
  const neighbour = (address: string) => [
    'neigh',
    'replace',
    address,
    'lladdr',
    '02:00:00:00:be:ef',
    'dev',
    facts.bridge,
    'nud',
    'permanent',
  ]
  const unknownAddress = () => `${facts.ipv4.split('.').slice(0, 3).join('.')}.250`
  it.each([
    orphan(
      'a bridge without a row',
      () => (quietly('ip', 'link', 'add', otherBridge(), 'type', 'bridge'), undo.push(() => quietly('ip', 'link', 'del', otherBridge()))),
      () => ({ service, side: 'HOST_ONLY', kind: 'bridge', name: otherBridge() }),
    ),
    orphan(
      'a tap without a row',
      () => (quietly('ip', 'tuntap', 'add', otherTap(), 'mode', 'tap'), undo.push(() => quietly('ip', 'link', 'del', otherTap()))),
      () => ({ service, side: 'HOST_ONLY', kind: 'tap', name: otherTap() }),
    ),
    orphan(
      'a member of a set without a row',
      () => {
        const element = ['element', 'bridge', facts.table, 'macs', `{ "${otherTap()}" . 02:00:00:00:be:ef }`]
        sh('nft', 'add', ...element)
        undo.push(() => quietly('nft', 'delete', ...element))
      },
      () => ({ service, side: 'HOST_ONLY', kind: 'rule', name: `${facts.table} macs ${otherTap()} . 02:00:00:00:be:ef` }),
    ),
    orphan(
      'a rule of ours in a chain of others that needs none',
      () => {
        sh('nft', 'add table ip others; add chain ip others FORWARD { type filter hook forward priority 0; policy accept; }')
        sh('nft', `add rule ip others FORWARD iifname "${facts.bridge}" accept comment "berth ${facts.bridge}"`)
        undo.push(() => quietly('nft', 'delete', 'table', 'ip', 'others'))
      },
      () => ({ service, side: 'HOST_ONLY', kind: 'rule' }),
    ),
    orphan(
      'an address that no port has',
      () => (
        sh('ip', ...neighbour(unknownAddress())), undo.push(() => quietly('ip', 'neigh', 'del', unknownAddress(), 'dev', facts.bridge))
      ),
      () => ({ service, side: 'HOST_ONLY', kind: 'address', name: unknownAddress() }),
    ),
    orphan(
      'a DNS server without a network',
      () => processOf('dnsmasq', `--conf-file=${data('network', 'br-gone', 'dnsmasq.conf')}`),
      () => ({ service, side: 'HOST_ONLY', kind: 'process' }),
    ),
    orphan(
      'a row without its tap',
      () => quietly('ip', 'link', 'del', facts.tap),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'tap', name: facts.tap, resourceId: facts.port }),
    ),
    orphan(
      'a row without its member of a set',
      () => sh('nft', 'delete', 'element', 'bridge', facts.table, 'macs', `{ "${facts.tap}" . ${facts.mac} }`),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'rule', name: `${facts.table} macs ${facts.tap} . ${facts.mac}` }),
    ),
    orphan(
      'a row without the way to its address',
      () => quietly('ip', 'neigh', 'del', facts.ipv4, 'dev', facts.bridge),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'address', name: facts.ipv4, resourceId: facts.port }),
    ),
    orphan(
      'a network without its gateway’s address',
      () => quietly('ip', '-4', 'addr', 'flush', 'dev', facts.bridge),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'address', name: facts.bridge, resourceId: facts.network }),
    ),
    orphan(
      'a chain of others that drops and lacks our rule',
      () => {
        quietly('nft', 'delete', 'table', 'ip', 'others')
        sh('nft', 'add table ip others; add chain ip others FORWARD { type filter hook forward priority 0; policy drop; }')
        undo.push(() => quietly('nft', 'delete', 'table', 'ip', 'others'))
      },
      () => ({ service, side: 'DATABASE_ONLY', kind: 'rule', name: `ip others FORWARD iifname "${facts.bridge}" accept` }),
    ),
    orphan(
      'a network without its DNS server',
      () => process.kill(Number(readFileSync(data('network', facts.bridge, 'dnsmasq.pid'), 'utf8')), 'SIGKILL'),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'process', name: `dnsmasq ${facts.bridge}`, resourceId: facts.network }),
    ),
    orphan(
      'a tap that is not isolated',
      () => sh('bridge', 'link', 'set', 'dev', facts.tap, 'isolated', 'off'),
      () => ({ service, side: 'MISMATCH', kind: 'tap', name: facts.tap }),
    ),
    orphan(
      'a rule in our table that we did not write',
      () => sh('nft', `add chain inet ${facts.table} planted`),
      () => ({ service, side: 'MISMATCH', kind: 'rule', name: facts.table }),
    ),
    orphan(
      'a bridge that is down',
      () => sh('ip', 'link', 'set', facts.bridge, 'down'),
      () => ({ service, side: 'MISMATCH', kind: 'bridge', name: facts.bridge }),
    ),
    orphan(
      'a row without its bridge',
      () => quietly('ip', 'link', 'del', facts.bridge),
      () => ({ service, side: 'DATABASE_ONLY', kind: 'bridge', name: facts.bridge, resourceId: facts.network }),
    ),
  ])('$what is named', (one) => mustBeNamed(one))

  const short = () => facts.table.slice('berth_'.length)
  const otherBridge = () => `br-${short()}beef`
  const otherTap = () => `bt${short()}beefbee`
})

describe('what one service has for a resource of another', () => {
  const held = [
    { service: 'image', table: 'image.image_holds', slot: 'root' },
    { service: 'volume', table: 'volume.scratch_disks', slot: 'scratch' },
    { service: 'network', table: 'network.ports', slot: 'nic0' },
  ]
  const give = ({ table, slot }: (typeof held)[number], from: string, to: string) =>
    sql`update ${sql(table)} set owner_id = ${to} where owner_id = ${from} and owner_slot = ${slot}`
  const planted = (one: (typeof held)[number]) => async () => {
    undo.push(() => give(one, `ins_${ULID}`, facts.running))
    await give(one, facts.running, `ins_${ULID}`)
  }

  it.each(held)('what the $service service holds for nobody is named, and who lacks it', async (one) => {
    const { service, slot } = one
    const finding = () => ({ service, side: 'HOST_ONLY', kind: 'grant', name: `ins_${ULID}/${slot}` })
    await mustBeNamed(orphan('held for nobody', planted(one), finding))
    const lacking = () => ({ service, side: 'DATABASE_ONLY', kind: 'grant', name: `${facts.running}/${slot}` })
    await mustBeNamed(orphan('lacking', () => undefined, lacking))
  })
})

describe('what is of a device', () => {
  const service = 'device'
  it('a row without its function is named', () =>
    mustBeNamed(
      orphan(
        'a row',
        async () => {
          undo.push(() => sql`delete from device.devices where id = ${`dev_${ULID}`}`)
          const state = { address: '00ff:00:00.0', present: true }
          await sql`insert into device.devices (id, project, name, spec, status, host, creator, address, facts)
            values (${`dev_${ULID}`}, 'default', 'planted', '{}', ${state as never}, ${facts.host}, 'test', '00ff:00:00.0', '{}') on conflict do nothing`
        },
        () => ({ service, side: 'DATABASE_ONLY', name: '00ff:00:00.0', resourceId: `dev_${ULID}` }),
      ),
    ))
})

it('after all this, what the services could repair is repaired, and the host is clean again', async () => {
  await until('the audit finds nothing', async () => (await audit()).length === 0, 30_000)
})

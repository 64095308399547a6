import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createClient } from '@berth/db'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { startRegistry } from '@berth/testing/registry'
import { create, ended } from '../../support/guest.ts'
import { busyboxImage, publish } from '../../support/images.ts'
import { startLightSystem } from '../../support/light-system.ts'
import type { TestSystem } from '../../support/system.ts'

export const ULID = '0000000000000000000000beef'
export const SHORT = ULID.slice(-10)
export const HEX = 'beef'.repeat(16)

/** What is on the system that orphans are planted on. */
export interface Facts {
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

/** Known once the ground is laid. */
export const facts = {} as Facts
/** Takes back what a test planted. */
export const undo: (() => unknown)[] = []

interface Ground {
  readonly system: TestSystem
  readonly sql: ReturnType<typeof createClient>
}
let ground: Ground | undefined

export function system(): TestSystem {
  if (!ground) throw new Error('the ground is not laid')
  return ground.system
}
export function sql(): Ground['sql'] {
  if (!ground) throw new Error('the ground is not laid')
  return ground.sql
}

/** A system with an instance that runs, one that is off, and a volume. */
export async function layGround(): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const registry = stack.use(await startRegistry())
  const env = { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host }
  const started = stack.use(await startLightSystem({ portOffset: 4000, env }))
  const client = createClient({ url: started.databaseUrl, pool: 1 })
  stack.defer(() => client.end())
  ground = { system: started, sql: client }
  Object.assign(facts, await gather(await publish(registry, 'audited', busyboxImage().image)))
  return stack.move()
}

async function gather(image: string): Promise<Facts> {
  const { api } = system()
  const running = await create(api, 'running', image)
  const stopped = await create(api, 'stopped', image)
  await ended(api, (await api.instances.stopInstance({ id: stopped.id })).operation, OperationState.DONE)
  const { volume, operation } = await api.volumes.createVolume({ name: 'data', sizeBytes: 1n << 20n })
  await ended(api, operation, OperationState.DONE)
  const [port] = await sql()`select id, tap, mac, ipv4, network_id from network.ports where owner_id = ${running.id}`
  const [place] = await sql()`select bridge from network.network_hosts where network_id = ${port?.['network_id']}`
  const [names] = await sql()`select short from network.host_names`
  const pools = readdirSync(path.join(system().dataDir, 'volume'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const pool = pools
    .map(({ name }) => path.join(system().dataDir, 'volume', name))
    .find((it) => existsSync(path.join(it, `${volume?.id}.raw`)))
  return {
    ...{ host: running.host, running: running.id, stopped: stopped.id, volume: volume?.id ?? '', pool: pool ?? '' },
    ...{ bridge: String(place?.['bridge']), network: String(port?.['network_id']), tap: String(port?.['tap']), port: String(port?.['id']) },
    ...{ mac: String(port?.['mac']), ipv4: String(port?.['ipv4']), table: `berth_${names?.['short']}` },
  }
}

export const data = (...parts: string[]) => path.join(system().dataDir, ...parts)
export const sh = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
export const quietly = (command: string, ...args: string[]) => {
  try {
    sh(command, ...args)
  } catch {
    // It is so already.
  }
}

export function file(...parts: string[]): void {
  const name = data(...parts)
  writeFileSync(name, 'planted')
  undo.push(() => rmSync(name, { force: true }))
}

export function folder(name: string): void {
  mkdirSync(name, { recursive: true })
  undo.push(() => rmSync(name, { recursive: true, force: true }))
}

/** Hides something; it is there again after the test. */
export function away(name: string): void {
  if (!existsSync(name)) return
  renameSync(name, data('hidden'))
  undo.push(() => (rmSync(name, { recursive: true, force: true }), renameSync(data('hidden'), name)))
}

/** A process with these words as its command line. */
export function processOf(name: string, lastWord: string): void {
  const child: ChildProcess = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', '--', lastWord], {
    argv0: name,
    stdio: 'ignore',
  })
  undo.push(() => child.kill('SIGKILL'))
}

export const status = (table: string, id: string, member: string, value: string) => async () => {
  const [before] = await sql()`select status from ${sql()(table)} where id = ${id}`
  undo.push(() => sql()`update ${sql()(table)} set status = ${before?.['status'] as never} where id = ${id}`)
  await sql()`update ${sql()(table)} set status = jsonb_set(status, ${`{${member}}`}, to_jsonb(${value}::text)) where id = ${id}`
}

/** Digests of the image's copy, in hex: of its root and of one blob. */
export async function copy(): Promise<{ root: string; blob: string }> {
  const [row] = await sql()`select digest, parts[1] as part from image.image_copies where state = 'READY'`
  const hex = (name: string) => String(row?.[name]).replace(/^sha256:/, '')
  return { root: hex('digest'), blob: hex('part') }
}

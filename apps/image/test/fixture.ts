import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AuditService, type Holding } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { ImageHostService } from '@berth/proto/berth/image/host/v1/image_host_pb.ts'
import { ImageService, KernelService } from '@berth/proto/berth/image/v1/image_pb.ts'
import { type Operation, OperationService, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { clientOf, connectTo, hostIdentity, hostKey, mintToken } from '@berth/rpc'
import { createLogger } from '@berth/telemetry'
import { home, type TestDatabase, tempDir, testDatabase, until } from '@berth/testing'
import { buildImage, type LayerEntry, pushImage } from '@berth/testing/oci-image'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import type { Config } from '../src/config.ts'
import { type Service, startService } from '../src/service.ts'

/** Everything a test of this service needs: a database, a data folder, a registry and the service itself, all its own. */
export interface World extends AsyncDisposable {
  database: TestDatabase
  registry: TestRegistry
  service: Service
  dataDir: string
  /** Lines `name=action` for failpoints; empty disarms all. */
  arm(...lines: string[]): void
  /** Waits until an armed failpoint is hit. */
  hit(name: string): Promise<unknown>
  clients: Clients
  /** Ends the service (as a kill would leave rows and files) and starts it again on the same data. */
  restart(change?: Partial<Config>): Promise<void>
  /** Waits for an operation's end. */
  ended(operation: Operation | undefined): Promise<Operation>
  push(name: string, tag: string, source: Parameters<typeof buildImage>[0]): Promise<{ reference: string; digest: string }>
  audit(): Promise<string[]>
  /** What is held for owners on this host. */
  holdings(): Promise<Holding[]>
  file(...parts: string[]): string
}

export type Clients = Awaited<ReturnType<typeof clientsOf>>

/** @param beside another host's world, whose database and registry are shared */
export async function startWorld(change: Partial<Config> = {}, beside?: World): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const database = beside?.database ?? stack.use(await testDatabase())
  const registry = beside?.registry ?? stack.use(await startRegistry())
  const data = stack.use(tempDir('image'))
  const failpointsFile = join(data.path, 'failpoints')
  const config: Config = {
    dataDir: data.path,
    listen: { host: '127.0.0.1', port: 0 },
    advertise: '127.0.0.1:0',
    gatewayAddress: '127.0.0.1:9',
    databaseUrl: database.urlFor('image'),
    databasePrepare: true,
    natsUrl: undefined,
    logLevel: 'silent',
    insecureRegistries: [registry.host],
    proxy: {},
    guestDir: join(data.path, 'guest'),
    failpointsFile,
    ...change,
  }
  const logger = createLogger({ name: 'image', level: process.env.BERTH_TEST_LOG === undefined ? 'silent' : 'debug' })
  const start = (more: Partial<Config> = {}) =>
    startService({ ...config, ...more }, { logger, registry: { retryBaseMs: 5, idleMs: 2000, paceMs: 500 } })
  let service = await start()
  let clients = await clientsOf(data.path, service.port)
  stack.defer(async () => {
    await clients[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })
  const owned = stack.move()
  return {
    database,
    registry,
    dataDir: data.path,
    get service() {
      return service
    },
    get clients() {
      return clients
    },
    arm(...lines) {
      rmSync(`${failpointsFile}.hits`, { force: true })
      writeFileSync(failpointsFile, `${lines.join('\n')}\n`)
    },
    hit: (name) =>
      until(`${name} is hit`, () => existsSync(`${failpointsFile}.hits`) && readFileSync(`${failpointsFile}.hits`, 'utf8').includes(name)),
    async restart(more) {
      await clients[Symbol.asyncDispose]()
      await service[Symbol.asyncDispose]()
      service = await start(more)
      clients = await clientsOf(data.path, service.port)
    },
    async ended(operation) {
      const answer = await clients.operations.waitOperation({ id: operation?.id ?? '' })
      if (!answer.operation || answer.operation.state <= OperationState.RUNNING) throw new Error('the operation goes on')
      return answer.operation
    },
    async push(name, tag, source) {
      const image = buildImage(source)
      await pushImage({ registryUrl: registry.url, name, tag }, image)
      return { reference: `${registry.host}/${name}:${tag}`, digest: image.digest }
    },
    holdings: async () => (await clients.audit.auditHost({})).holdings,
    async audit() {
      const { findings, compared } = await clients.audit.auditHost({})
      if (compared.file === undefined) throw new Error('the audit looked at nothing')
      return findings.map(({ side, kind, name, message }) => `${side} ${kind} ${name}: ${message}`)
    },
    file: (...parts) => join(data.path, 'image', ...parts),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function clientsOf(dataDir: string, port: number) {
  const stack = new AsyncDisposableStack()
  const target = `127.0.0.1:${port}`
  const key = await hostKey(dataDir)
  const tokenOf = async (project: string) =>
    (await mintToken({ key, audience: 'image', actor: 'key_test', project, roles: ['admin'], plane: 'public' })).token
  const transport = stack.use(connectTo({ target, identity: await tokenOf('default') }))
  const other = stack.use(connectTo({ target, identity: await tokenOf('other') }))
  const host = stack.use(
    connectTo({ target, identity: hostIdentity({ keyFile: join(dataDir, 'host.key'), audience: 'image', actor: 'berth-instance' }) }),
  )
  return {
    images: clientOf(ImageService, transport),
    otherImages: clientOf(ImageService, other),
    kernels: clientOf(KernelService, transport),
    operations: clientOf(OperationService, transport),
    audit: clientOf(AuditService, transport),
    host: clientOf(ImageHostService, host),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** A small image of busybox with a second layer on top. */
export const busybox = (...top: LayerEntry[]): Parameters<typeof buildImage>[0] => ({
  index: true,
  layers: [
    {
      files: [
        { path: 'bin', type: 'directory' },
        { path: 'bin/busybox', content: readFileSync(join(home, '.berth/bin/busybox')), mode: 0o755 },
        { path: 'bin/sh', type: 'symlink', target: 'busybox' },
        { path: 'etc', type: 'directory', mtime: 1_700_000_000 },
        { path: 'etc/motd', content: 'hello\n', mtime: 1_600_000_000 },
        { path: 'etc/gone', content: 'x' },
      ],
    },
    { files: [{ path: 'etc/.wh.gone' }, ...top] },
  ],
  config: {
    Entrypoint: ['/bin/sh'],
    Cmd: ['-c', 'id'],
    Env: ['A=1', 'PATH=/bin'],
    User: '1000:100',
    WorkingDir: '/srv',
    StopSignal: 'SIGINT',
  },
})

/** A guest folder with a kernel that passes for one. */
export function makeGuest(folder: string, kernel: Buffer, initramfs: Buffer, sha256: (bytes: Buffer) => string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'vmlinux'), kernel)
  writeFileSync(join(folder, 'initramfs.cpio'), initramfs)
  const manifest = {
    kernel: { version: '6.1.0-56-cloud-amd64', package: 'x', file: 'vmlinux', sha256: sha256(kernel), format: 'vmlinux' },
    initramfs: { file: 'initramfs.cpio', sha256: sha256(initramfs) },
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
}

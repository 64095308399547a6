import { copyFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import path from 'node:path'
import { HostService, InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type Operation, OperationService, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { clientOf, connectTo, hostKey, mintToken } from '@berth/rpc'
import { createLogger } from '@berth/telemetry'
import { tempDir, type TestDatabase, testDatabase } from '@berth/testing'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { readConfig } from '../src/config.ts'
import type { Recorder } from '../src/host/recorder/driver.ts'
import { type InstanceServer, type Parts, startService } from '../src/service.ts'
import { fakePeers } from './fake-peers.ts'

/**
 * One instance service with its own folders, fake neighbours and VMs on paper; with its own database, or as a
 * second host with another world's. One key stands for the gateway that both trust.
 */
export async function world(environment: Record<string, string> = {}, first?: { database: TestDatabase; config: { dataDir: string } }) {
  await using stack = new AsyncDisposableStack()
  const database = first?.database ?? stack.use(await testDatabase())
  const data = stack.use(tempDir('data'))
  const peers = fakePeers()
  if (first) copyFileSync(path.join(first.config.dataDir, 'host.key'), path.join(data.path, 'host.key'))
  const key = await hostKey(data.path)
  const { token } = await mintToken({ key, audience: 'instance', actor: 'key_test', project: 'default', roles: ['admin'], plane: 'public' })
  const { config } = readConfig({
    BERTH_DATA_DIR: data.path,
    BERTH_RUN_DIR: path.join(data.path, 'run'),
    BERTH_LISTEN: `127.0.0.1:${await freePort()}`,
    BERTH_INSTANCE_DATABASE_URL: database.urlFor('instance'),
    BERTH_HYPERVISOR: 'recorder',
    ...environment,
  })
  const logger = createLogger({ name: 'instance', level: process.env['TEST_LOG'] ? 'debug' : 'silent' })
  let server: InstanceServer | undefined
  let clients: ReturnType<typeof clientsOf> | undefined

  async function start(parts: Parts = {}): Promise<void> {
    server = await startService(config, { logger, peers, ...parts })
    clients = clientsOf(server.port, token)
  }
  async function stop(): Promise<void> {
    clients?.transport[Symbol.dispose]()
    await server?.[Symbol.asyncDispose]()
    server = undefined
  }
  await start()
  stack.defer(stop)
  const kept = stack.move()
  const current = () => clients as NonNullable<typeof clients>

  return {
    ...{ database, peers, config, start, stop },
    get instances() {
      return current().instances
    },
    get operations() {
      return current().operations
    },
    get hosts() {
      return current().hosts
    },
    get audit() {
      return current().audit
    },
    get server() {
      return server as InstanceServer
    },
    get recorder() {
      return (server as InstanceServer).hypervisor as Recorder
    },
    /** The operation once it has ended, with its state's name. */
    async ended(operation: Operation | string | undefined, timeoutMs = 20_000) {
      const id = typeof operation === 'string' ? operation : (operation?.id ?? '')
      const { operation: found } = await current().operations.waitOperation({ id, timeout: durationFromMs(timeoutMs) })
      const name = Object.entries(OperationState).find(([, value]) => value === found?.state)?.[0] ?? ''
      return { ...found, stateName: name, reason: reasonOf(found) }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

function reasonOf(operation: Operation | undefined): string {
  const info = operation?.error?.details.find(({ typeUrl }) => typeUrl.endsWith('google.rpc.ErrorInfo'))
  return info ? (/[A-Z][A-Z0-9_]+/.exec(Buffer.from(info.value).toString('latin1'))?.[0] ?? '') : ''
}

function clientsOf(port: number, token: string) {
  const transport = connectTo({ target: `127.0.0.1:${port}`, identity: token })
  return {
    transport,
    instances: clientOf(InstanceService, transport),
    operations: clientOf(OperationService, transport),
    audit: clientOf(AuditService, transport),
    hosts: clientOf(HostService, transport),
  }
}

/** The address is advertised before it is bound, so it is chosen here. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** What a create needs at least. */
export const imageSpec = (image = 'busybox') => ({ boot: { case: 'image', value: { image } } }) as const

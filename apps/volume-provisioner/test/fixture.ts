import path from 'node:path'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { OperationService, OperationState, type Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { VolumeHostService } from '@berth/proto/berth/volume/host/v1/volume_host_pb.ts'
import { VolumeService } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { clientOf, connectTo, hostIdentity, hostKey, mintToken } from '@berth/rpc'
import { createLogger } from '@berth/telemetry'
import { tempDir, testDatabase } from '@berth/testing'
import type { VolumeConfig } from '../src/config.ts'
import { startService } from '../src/service.ts'

export type World = Awaited<ReturnType<typeof openWorld>>

/** A database and a data folder of its own, with the service started on them as often as wanted. */
export async function openWorld(given: Partial<VolumeConfig> = {}) {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await testDatabase())
  const data = stack.use(tempDir('volume'))
  const config: VolumeConfig = {
    dataDir: data.path,
    listen: { host: '127.0.0.1', port: 0 },
    advertise: '127.0.0.1:0',
    gatewayAddress: '127.0.0.1:1',
    databaseUrl: database.urlFor('volume'),
    databasePrepare: true,
    natsUrl: undefined,
    logLevel: 'silent',
    failpointsFile: undefined,
    storage: 'directory',
    reserveBytes: 0,
    ...given,
  }
  const logger = createLogger({ name: 'volume', level: 'silent' })
  const start = (more: Partial<VolumeConfig> = {}) => startService({ ...config, ...more }, { logger })

  /** Clients of a started service: a tenant of `project`, and the instance service of this host. */
  async function connect(port: number, project = 'default') {
    const key = await hostKey(data.path)
    const { token } = await mintToken({ key, audience: 'volume', actor: 'key_test', project, roles: ['admin'], plane: 'public' })
    const target = `127.0.0.1:${port}`
    const tenant = connectTo({ target, identity: token })
    const peer = connectTo({
      target,
      identity: hostIdentity({ keyFile: path.join(data.path, 'host.key'), audience: 'volume', actor: 'berth-instance' }),
    })
    const operations = clientOf(OperationService, tenant)
    return {
      volumes: clientOf(VolumeService, tenant),
      host: clientOf(VolumeHostService, peer),
      operations,
      audit: clientOf(AuditService, tenant),
      /** The operation once it has ended. */
      async ended(operation: Operation | undefined): Promise<Operation | undefined> {
        const { operation: last } = await operations.waitOperation({ id: operation?.id ?? '', timeout: { seconds: 20n, nanos: 0 } })
        return last
      },
      [Symbol.dispose]() {
        tenant[Symbol.dispose]()
        peer[Symbol.dispose]()
      },
    }
  }

  const moved = stack.move()
  return {
    database,
    dataDir: data.path,
    poolDir: path.join(data.path, 'volume', 'default'),
    start,
    connect,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}

export const done = OperationState.DONE

/** Owner of the disks of the n-th instance of a test. */
export const ownerOf = (n: number, slot = 'scratch') => ({ kind: 'instance', id: `ins_${String(n).padStart(26, '0')}`, slot })

export const mebibyte = 1024 * 1024
export const gibibyte = 1024 * mebibyte

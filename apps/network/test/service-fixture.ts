import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createRunner } from '@berth/host'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { NetworkHostService } from '@berth/proto/berth/network/host/v1/network_host_pb.ts'
import { NetworkService } from '@berth/proto/berth/network/v1/network_pb.ts'
import { clientOf, connectTo, hostIdentity } from '@berth/rpc'
import { home, type TestDatabase, tempDir, testDatabase } from '@berth/testing'
import { compileCacheOf, testBuild } from '@berth/testing/build'
import { createNamespace, type Namespace } from './namespace.ts'

const adminName = 'berth-network-test'

/** A host in a namespace of its own, on which services can be started and killed. */
export type TestHost = AsyncDisposable & {
  space: Namespace
  database: TestDatabase
  dataDir: string
  start(options?: { env?: Record<string, string> }): Promise<RunningService>
}

export type RunningService = AsyncDisposable & {
  pid: number
  networks: ReturnType<typeof clientOf<typeof NetworkService>>
  host: ReturnType<typeof clientOf<typeof NetworkHostService>>
  audits: ReturnType<typeof clientOf<typeof AuditService>>
  kill(signal: NodeJS.Signals): Promise<void>
}

export async function createTestHost(label = 'svc', shared?: { space: Namespace; database: TestDatabase }): Promise<TestHost> {
  const stack = new AsyncDisposableStack()
  const runner = stack.use(createRunner({ logger: { debug() {}, warn() {} }, title: adminName }))
  const database = shared?.database ?? stack.use(await testDatabase())
  const space = shared?.space ?? stack.use(await createNamespace(runner, label))
  const data = stack.use(tempDir('network'))
  stack.defer(() => endDnsmasq(runner, data.path))
  const build = testBuild()
  let starts = 0
  return {
    space,
    database,
    dataDir: data.path,
    async start({ env = {} } = {}) {
      const socket = join(data.path, `door-${(starts += 1)}.sock`)
      const child = spawn(
        'nsenter',
        [`--net=/run/netns/${space.name}`, '--', process.execPath, join(build, 'network-in-namespace.mjs'), socket],
        {
          env: {
            PATH: process.env['PATH'] ?? '',
            ...compileCacheOf(build),
            BERTH_HOME: home,
            BERTH_DATA_DIR: data.path,
            BERTH_LISTEN: '127.0.0.1:0',
            BERTH_LOG_LEVEL: process.env['BERTH_LOG_LEVEL'] ?? 'silent',
            BERTH_NETWORK_DATABASE_URL: database.urlFor('network'),
            ...env,
          },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      const exited = once(child, 'exit')
      const ready = await Promise.race([
        once(child.stdout, 'data'),
        exited.then(() => Promise.reject(new Error('the service ended at start'))),
      ])
      const identity = hostIdentity({
        keyFile: join(data.path, 'host.key'),
        audience: 'network',
        actor: adminName,
        roles: ['admin'],
        project: 'default',
      })
      const transport = connectTo({ target: `unix:${socket}`, identity })
      const kill = async (signal: NodeJS.Signals) => {
        child.kill(signal)
        await exited
      }
      return {
        pid: Number(String(ready[0]).split(' ')[1]),
        networks: clientOf(NetworkService, transport),
        host: clientOf(NetworkHostService, transport),
        audits: clientOf(AuditService, transport),
        kill,
        async [Symbol.asyncDispose]() {
          transport[Symbol.dispose]()
          if (child.exitCode === null && child.signalCode === null) await kill('SIGTERM')
        },
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** DNS outlives a service, and so a test: those of this data folder are ended by their command line. */
async function endDnsmasq(runner: ReturnType<typeof createRunner>, dataDir: string): Promise<void> {
  const { stdout } = await runner.run(['pgrep', '-f', `^dnsmasq --conf-file=${dataDir}/`], { timeoutMs: 5000, okCodes: [0, 1] })
  for (const pid of stdout.split('\n').filter(Boolean).map(Number)) process.kill(pid, 'SIGKILL')
}

/** An owner as the instance service names it. */
export function ownerNumber(index: number, slot = 'nic0') {
  return { kind: 'instance', id: `ins_${String(index).padStart(26, '0')}`, slot }
}

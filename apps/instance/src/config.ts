import path from 'node:path'
import { formatHostPort, type Environment, type HostPort, readEnv } from '@berth/config'
import { invalidArgument } from '@berth/errors'

export type InstanceConfig = {
  dataDir: string
  runDir: string
  /** Where the API is served; default 127.0.0.1:7015. Health and metrics are 100 above. */
  listen: HostPort
  healthPort: number
  /** Address by which the services of other hosts reach this one; default `listen`. */
  advertise: string
  databaseUrl: string
  /** False behind a pooler that knows no named statements. */
  databasePrepare: boolean
  natsUrl: string | undefined
  peers: Record<'image' | 'volume' | 'network', string>
  /** Where public keys of gateways and other hosts are served. */
  keySetUrl: string
  hypervisor: 'qemu' | 'recorder'
  qemuBinary: string
  /** The shim as it was built; VMs run a copy in the data folder. */
  shimBinary: string
  /** First and last uid of VMs. */
  uids: { first: number; last: number }
  /** Creates that boot at once; default one for each CPU. Undefined: that default. */
  bootSlots: number | undefined
  /** How long an agent may take to answer on KVM, in milliseconds, where no more boot at once than there are CPUs. */
  agentWaitMs: number
  failpointsFile: string | undefined
  testBootId: string | undefined
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/** Variables that only this service reads. */
const ownNames = ['BERTH_QEMU', 'BERTH_BOOT_SLOTS', 'BERTH_AGENT_TIMEOUT']

/** Reads the service's settings; `warnings` are variables that nothing reads. @throws InvalidArgument(`BAD_CONFIGURATION`) */
export function readConfig(environment: Environment = process.env): { config: InstanceConfig; warnings: string[] } {
  return readEnv(
    environment,
    (env) => {
      const address = (name: string, port: number): string =>
        formatHostPort(env.hostPort(name, { host: '127.0.0.1', port }) ?? { host: '', port: 0 })
      const listen = env.hostPort('BERTH_LISTEN', { host: '127.0.0.1', port: 7015 })
      const home = env.path('BERTH_HOME', path.resolve(import.meta.dirname, '../../..'))
      return {
        dataDir: env.path('BERTH_DATA_DIR', '/var/lib/berth'),
        runDir: env.path('BERTH_RUN_DIR', '/run/berth'),
        listen,
        healthPort: listen.port === 0 ? 0 : listen.port + 100,
        advertise: formatHostPort(env.hostPort('BERTH_ADVERTISE', listen)),
        databaseUrl: env.secret('BERTH_INSTANCE_DATABASE_URL'),
        databasePrepare: env.bool('BERTH_DATABASE_PREPARE', true),
        natsUrl: env.string('NATS_URL', undefined),
        peers: {
          image: address('BERTH_IMAGE_ADDRESS', 7011),
          volume: address('BERTH_VOLUME_ADDRESS', 7012),
          network: address('BERTH_NETWORK_ADDRESS', 7013),
        },
        keySetUrl: `http://${address('BERTH_GATEWAY_ADDRESS', 7000)}/.well-known/jwks.json`,
        hypervisor: env.oneOf('BERTH_HYPERVISOR', ['qemu', 'recorder'], 'qemu'),
        qemuBinary: env.path('BERTH_QEMU', '/usr/bin/qemu-system-x86_64'),
        shimBinary: env.path('BERTH_SHIM', path.join(home, '.berth/bin/berth-shim')),
        uids: uidRange(env.string('BERTH_UID_RANGE', '900000-965535')),
        bootSlots: env.int('BERTH_BOOT_SLOTS', 0, { min: 0, max: 1024 }) || undefined,
        agentWaitMs: env.duration('BERTH_AGENT_TIMEOUT', 60_000),
        failpointsFile: env.path('BERTH_FAILPOINTS_FILE', undefined),
        testBootId: env.string('BERTH_TEST_BOOT_ID', undefined),
        logLevel: env.oneOf('BERTH_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
      }
    },
    ownNames,
  )
}

function uidRange(text: string): { first: number; last: number } {
  const [, first, last] = /^(\d{1,9})-(\d{1,9})$/.exec(text) ?? []
  const range = { first: Number(first), last: Number(last) }
  if (!first || !last || range.first < 1000 || range.last < range.first)
    throw invalidArgument('BAD_CONFIGURATION', 'BERTH_UID_RANGE is no range of uids from 1000 on, e.g. 900000-965535')
  return range
}

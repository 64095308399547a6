import { type Environment, formatHostPort, type HostPort, readEnv } from '@berth/config'

export type VolumeConfig = {
  dataDir: string
  /** Where the API is served; default 127.0.0.1:7012. Health and metrics are 100 above; port 0 takes a free one for each. */
  listen: HostPort
  /** Address by which other hosts reach this service; default where it listens. */
  advertise: string
  /** Of the gateway, whose keys are trusted. */
  gatewayAddress: string
  databaseUrl: string
  /** False behind a pooler that knows no named statements. */
  databasePrepare: boolean
  /** Undefined: events travel by polling alone. */
  natsUrl: string | undefined
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** For tests; undefined arms nothing. */
  failpointsFile: string | undefined
  /** Where disks lie; `recorder`: on paper only, for measuring what the service itself costs. */
  storage: 'directory' | 'recorder'
  /** Bytes of the pool's file system that stay free (`BERTH_VOLUME_RESERVE`); default 1 GiB, 0 none. */
  reserveBytes: number
}

/** Reads the settings; `warnings` are variables that nothing reads. @throws InvalidArgument(`BAD_CONFIGURATION`) */
export function readConfig(environment: Environment = process.env): { config: VolumeConfig; warnings: string[] } {
  return readEnv(environment, (env) => {
    const listen = env.hostPort('BERTH_LISTEN', { host: '127.0.0.1', port: 7012 })
    return {
      dataDir: env.path('BERTH_DATA_DIR', '/var/lib/berth'),
      listen,
      advertise: env.string('BERTH_ADVERTISE', listen ? formatHostPort(listen) : ''),
      gatewayAddress: formatHostPort(env.hostPort('BERTH_GATEWAY_ADDRESS', { host: '127.0.0.1', port: 7000 })),
      databaseUrl: env.secret('BERTH_VOLUME_DATABASE_URL'),
      databasePrepare: env.bool('BERTH_DATABASE_PREPARE', true),
      natsUrl: env.string('NATS_URL', undefined),
      logLevel: env.oneOf('BERTH_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
      failpointsFile: env.path('BERTH_FAILPOINTS_FILE', undefined),
      storage: env.oneOf('BERTH_STORAGE', ['directory', 'recorder'], 'directory'),
      reserveBytes: env.bytes('BERTH_VOLUME_RESERVE', 1024 ** 3),
    }
  })
}

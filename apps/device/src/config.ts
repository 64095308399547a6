import { type Environment, formatHostPort, type HostPort, readEnv } from '@berth/config'

export type DeviceConfig = {
  dataDir: string
  /** Where the API is served; default 127.0.0.1:7014. Health and metrics are 100 above; port 0 takes a free one for each. */
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
  /** Root of sysfs and procfs: the host's own, or a recorded tree in tests. */
  sys: string
  proc: string
}

/** Reads the settings; `warnings` are variables that nothing reads. @throws InvalidArgument(`BAD_CONFIGURATION`) */
export function readConfig(environment: Environment = process.env): { config: DeviceConfig; warnings: string[] } {
  return readEnv(environment, (env) => {
    const listen = env.hostPort('BERTH_LISTEN', { host: '127.0.0.1', port: 7014 })
    return {
      dataDir: env.path('BERTH_DATA_DIR', '/var/lib/berth'),
      listen,
      advertise: env.string('BERTH_ADVERTISE', listen ? formatHostPort(listen) : ''),
      gatewayAddress: formatHostPort(env.hostPort('BERTH_GATEWAY_ADDRESS', { host: '127.0.0.1', port: 7000 })),
      databaseUrl: env.secret('BERTH_DEVICE_DATABASE_URL'),
      databasePrepare: env.bool('BERTH_DATABASE_PREPARE', true),
      natsUrl: env.string('NATS_URL', undefined),
      logLevel: env.oneOf('BERTH_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
      failpointsFile: env.path('BERTH_FAILPOINTS_FILE', undefined),
      sys: '/sys',
      proc: '/proc',
    }
  })
}

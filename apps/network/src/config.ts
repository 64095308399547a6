import { type Environment, formatHostPort, type HostPort, readEnv } from '@berth/config'

export type NetworkConfig = {
  dataDir: string
  /** Where the API is served; default 127.0.0.1:7013. Health and metrics are 100 above; port 0 takes a free one for each. */
  listen: HostPort
  /** Address by which other hosts reach this service; default where it listens. */
  advertise: string
  /** Of the gateway, whose keys are trusted. */
  gatewayAddress: string
  databaseUrl: string
  /** Where ports are made; `recorder`: on paper only, for measuring what the service itself costs. */
  hostNetwork: 'linux' | 'recorder'
  /** False behind a pooler that knows no named statements. */
  databasePrepare: boolean
  /** Undefined: events travel by polling alone. */
  natsUrl: string | undefined
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** For tests; undefined arms nothing. */
  failpointsFile: string | undefined
}

/** Reads the settings; `warnings` are variables that nothing reads. @throws InvalidArgument(`BAD_CONFIGURATION`) */
export function readConfig(environment: Environment = process.env): { config: NetworkConfig; warnings: string[] } {
  return readEnv(environment, (env) => {
    const listen = env.hostPort('BERTH_LISTEN', { host: '127.0.0.1', port: 7013 })
    return {
      dataDir: env.path('BERTH_DATA_DIR', '/var/lib/berth'),
      listen,
      advertise: env.string('BERTH_ADVERTISE', listen ? formatHostPort(listen) : ''),
      gatewayAddress: formatHostPort(env.hostPort('BERTH_GATEWAY_ADDRESS', { host: '127.0.0.1', port: 7000 })),
      databaseUrl: env.secret('BERTH_NETWORK_DATABASE_URL'),
      hostNetwork: env.oneOf('BERTH_HOST_NETWORK', ['linux', 'recorder'], 'linux'),
      databasePrepare: env.bool('BERTH_DATABASE_PREPARE', true),
      natsUrl: env.string('NATS_URL', undefined),
      logLevel: env.oneOf('BERTH_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
      failpointsFile: env.path('BERTH_FAILPOINTS_FILE', undefined),
    }
  })
}

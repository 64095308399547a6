import { type Environment, type HostPort, readEnv } from '@berth/config'

export type GatewayConfig = {
  dataDir: string
  /** Where the API is served; default 127.0.0.1:7000. Health and metrics are 100 above. */
  listen: HostPort
  healthPort: number
  databaseUrl: string
  /** False behind a pooler that knows no named statements. */
  databasePrepare: boolean
  /** `host:port` of each of the five. */
  peers: Record<'image' | 'volume' | 'network' | 'device' | 'instance', string>
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** How long calls under way may go on when it stops, in milliseconds. */
  drainMs: number
}

/** Reads the gateway's settings; `warnings` are variables that nothing reads. @throws InvalidArgument(`BAD_CONFIGURATION`) */
export function readConfig(environment: Environment = process.env): { config: GatewayConfig; warnings: string[] } {
  return readEnv(environment, (env) => {
    const address = (name: string, port: number): string => {
      const { host, port: at } = env.hostPort(name, { host: '127.0.0.1', port }) ?? { host: '', port }
      return host.includes(':') ? `[${host}]:${at}` : `${host}:${at}`
    }
    const listen = env.hostPort('BERTH_LISTEN', { host: '127.0.0.1', port: 7000 })
    return {
      dataDir: env.path('BERTH_DATA_DIR', '/var/lib/berth'),
      listen,
      healthPort: (listen?.port ?? 0) + 100,
      databaseUrl: env.secret('BERTH_ACCESS_DATABASE_URL'),
      databasePrepare: env.bool('BERTH_DATABASE_PREPARE', true),
      peers: {
        image: address('BERTH_IMAGE_ADDRESS', 7011),
        volume: address('BERTH_VOLUME_ADDRESS', 7012),
        network: address('BERTH_NETWORK_ADDRESS', 7013),
        device: address('BERTH_DEVICE_ADDRESS', 7014),
        instance: address('BERTH_INSTANCE_ADDRESS', 7015),
      },
      logLevel: env.oneOf('BERTH_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
      drainMs: 25_000,
    }
  })
}

import { resolve } from 'node:path'
import { type Environment, formatHostPort, type HostPort, readEnv } from '@berth/config'

/** What the service is told from outside. */
export interface Config {
  dataDir: string
  listen: HostPort
  /** Address by which other hosts reach this service; default the one it listens on. */
  advertise: string
  gatewayAddress: string
  databaseUrl: string
  databasePrepare: boolean
  natsUrl: string | undefined
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Registries reached by plain http, `host:port`. */
  insecureRegistries: string[]
  proxy: { httpsProxy?: string; noProxy?: string }
  /** Folder with kernel, initramfs and their manifest. */
  guestDir: string
  failpointsFile: string | undefined
}

/**
 * Reads the configuration.
 *
 * @throws InvalidArgument(`BAD_CONFIGURATION`) naming every variable that is wrong
 */
export function readConfig(environment: Environment = process.env): { config: Config; warnings: string[] } {
  return readEnv(environment, (env) => {
    const home = env.path('BERTH_HOME', resolve(import.meta.dirname, '../../..'))
    const listen = env.hostPort('BERTH_LISTEN', { host: '127.0.0.1', port: 7011 })
    const httpsProxy = env.string('HTTPS_PROXY', environment.https_proxy)
    const noProxy = env.string('NO_PROXY', environment.no_proxy)
    return {
      dataDir: env.path('BERTH_DATA_DIR', '/var/lib/berth'),
      listen,
      advertise: env.string('BERTH_ADVERTISE', listen ? formatHostPort(listen) : ''),
      gatewayAddress: env.string('BERTH_GATEWAY_ADDRESS', '127.0.0.1:7000'),
      databaseUrl: env.secret('BERTH_IMAGE_DATABASE_URL'),
      databasePrepare: env.oneOf('BERTH_DATABASE_PREPARE', ['on', 'off'], 'on') === 'on',
      natsUrl: env.secret('NATS_URL', undefined),
      logLevel: env.oneOf('BERTH_LOG_LEVEL', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info'),
      insecureRegistries: env.list('BERTH_INSECURE_REGISTRIES', []),
      proxy: { ...(httpsProxy && { httpsProxy }), ...(noProxy && { noProxy }) },
      guestDir: env.path('BERTH_GUEST_DIR', `${home}/.berth/guest`),
      failpointsFile: env.path('BERTH_FAILPOINTS_FILE', undefined),
    }
  })
}

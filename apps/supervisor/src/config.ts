import os from 'node:os'
import path from 'node:path'

/** The five services and the gateway, in the order they are stopped (the gateway first). */
export const SERVICES = ['gateway', 'instance', 'device', 'network', 'volume', 'image'] as const
export type ServiceName = (typeof SERVICES)[number]

/** Folder of each under `apps/`, which is also its bundle's name. */
export const APPS: Readonly<Record<ServiceName, string>> = {
  gateway: 'gateway',
  image: 'image',
  volume: 'volume-provisioner',
  network: 'network',
  device: 'device',
  instance: 'instance',
}

const PORTS: Readonly<Record<ServiceName, number>> = {
  gateway: 7000,
  image: 7011,
  volume: 7012,
  network: 7013,
  device: 7014,
  instance: 7015,
}

/** Schema (and role `berth_<schema>`) of each. */
export const SCHEMAS: Readonly<Record<ServiceName, string>> = {
  gateway: 'access',
  image: 'image',
  volume: 'volume',
  network: 'network',
  device: 'device',
  instance: 'instance',
}

export interface SupervisorConfig {
  /** The clone, or the folder an installation lives in. */
  readonly home: string
  readonly dataDir: string
  readonly runDir: string
  /** Set: nothing is embedded. */
  readonly databaseUrl?: string
  readonly natsUrl?: string
  readonly ports: Readonly<Record<ServiceName, number>>
  /** Where the CLI looks for its contexts. */
  readonly cliConfigFile: string
  readonly tty: boolean
  /** What services inherit: the environment without what npm put there. */
  readonly env: NodeJS.ProcessEnv
}

/** `BERTH_PORT_OFFSET` moves every port, so that two systems can share a network namespace. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): SupervisorConfig {
  const offset = Number(env['BERTH_PORT_OFFSET'] || 0)
  if (!Number.isInteger(offset) || offset < 0 || offset > 50_000) throw new Error('BERTH_PORT_OFFSET is a whole number from 0 to 50000')
  const configHome = env['XDG_CONFIG_HOME'] || path.join(env['HOME'] || os.homedir(), '.config')
  return {
    home: env['BERTH_HOME'] || path.resolve(import.meta.dirname, '../../..'),
    dataDir: env['BERTH_DATA_DIR'] || '/var/lib/berth',
    runDir: env['BERTH_RUN_DIR'] || '/run/berth',
    databaseUrl: env['DATABASE_URL'] || undefined,
    natsUrl: env['NATS_URL'] || undefined,
    ports: Object.fromEntries(SERVICES.map((name) => [name, PORTS[name] + offset])) as Record<ServiceName, number>,
    cliConfigFile: env['BERTH_CONFIG'] || path.join(configHome, 'berth', 'config.json'),
    tty: process.stderr.isTTY === true,
    env: withoutNpm(env),
  }
}

/** The environment without npm's settings: a service must not inherit them. */
export function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(npm_|INIT_CWD$|NODE_ENV$)/i.test(name)))
}

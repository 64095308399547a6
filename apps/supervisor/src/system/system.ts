import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { databaseVariable, type SchemaName } from '@berth/db'
import { startEmbeddedNats, startEmbeddedPostgres } from '@berth/host/embedded/index'
import type { Logger } from '@berth/telemetry'
import { APPS, SCHEMAS, SERVICES, type ServiceName, type SupervisorConfig } from '../config.ts'
import type { Say } from '../say.ts'
import { type Child, keepAlive } from './child.ts'
import { type DatabaseUrls, prepareDatabase } from './database.ts'
import { untilReady } from './ready.ts'
import { keepServer } from './server.ts'

const READY_TIMEOUT_MS = 60_000
const SERVICE_GRACE_MS = 30_000

/** The running system: servers, services, gateway. Disposing ends them in order: gateway, services, NATS, Postgres. VMs go on. */
export interface System extends AsyncDisposable {
  readonly adminKeyFile: string
}

/** Brings the system up: Postgres and NATS where no URL is given, the schemas, the admin key, six processes, all ready. */
export async function startSystem(
  config: SupervisorConfig,
  options: { readonly env: NodeJS.ProcessEnv; readonly say: Say; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<System> {
  await using stack = new AsyncDisposableStack()
  options.say.step('starting Postgres and NATS')
  const databaseUrl = await postgresUrl(config, stack, options.logger)
  const natsUrl = await natsServerUrl(config, stack, options.logger)
  options.say.step('preparing the database')
  const urls = await prepareDatabase({ url: databaseUrl, home: config.home, dataDir: config.dataDir, env: config.env })
  const env = serviceEnv(config, { ...options.env, NATS_URL: natsUrl }, urls)
  const adminKeyFile = path.join(config.dataDir, 'admin.key')
  await promisify(execFile)(command(config, 'gateway')[0], [...command(config, 'gateway').slice(1), '--make-admin-key', adminKeyFile], {
    env,
    cwd: '/',
  })

  options.say.step('starting the services')
  const children = SERVICES.map((name) => startService(config, name, env, options.logger))
  stack.defer(() => stopInOrder(children))
  const probes = new Map(SERVICES.map((name) => [name, `http://127.0.0.1:${config.ports[name] + 100}`]))
  await untilReady(probes, READY_TIMEOUT_MS, options.signal)
  const running = stack.move()
  return { adminKeyFile, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

async function postgresUrl({ databaseUrl, dataDir, home }: SupervisorConfig, stack: AsyncDisposableStack, logger: Logger): Promise<string> {
  if (databaseUrl) return databaseUrl
  return stack.use(await keepServer('postgres', () => startEmbeddedPostgres({ dataDir, home }), logger)).url
}

async function natsServerUrl({ natsUrl, dataDir, home }: SupervisorConfig, stack: AsyncDisposableStack, logger: Logger): Promise<string> {
  if (natsUrl) return natsUrl
  return stack.use(await keepServer('nats', () => startEmbeddedNats({ dataDir, home }), logger)).url
}

function startService(config: SupervisorConfig, name: ServiceName, env: NodeJS.ProcessEnv, logger: Logger): Child {
  const listen = `127.0.0.1:${config.ports[name]}`
  return keepAlive({
    name,
    argv: command(config, name),
    env: { ...env, BERTH_LISTEN: listen },
    logFile: path.join(config.dataDir, 'logs', `${name}.log`),
    logger,
  })
}

const bundled = import.meta.url.endsWith('.mjs')

/** Bundles start bundles, sources start sources. A smaller young generation halves a service's memory at no cost (measured). */
function command(config: SupervisorConfig, name: ServiceName): [string, ...string[]] {
  const entry = bundled ? path.join(import.meta.dirname, `${APPS[name]}.mjs`) : path.join(config.home, `apps/${APPS[name]}/src/main.ts`)
  return [process.execPath, '--max-semi-space-size=16', entry]
}

function serviceEnv(config: SupervisorConfig, env: NodeJS.ProcessEnv, urls: DatabaseUrls): NodeJS.ProcessEnv {
  const addresses = SERVICES.map((name) => [`BERTH_${name.toUpperCase()}_ADDRESS`, `127.0.0.1:${config.ports[name]}`])
  const databases = Object.values(SCHEMAS).map((schema) => [databaseVariable(schema as SchemaName), urls[schema as SchemaName]])
  const { DATABASE_URL: _owner, ...inherited } = env
  return {
    ...inherited,
    ...Object.fromEntries(addresses),
    ...Object.fromEntries(databases),
    BERTH_HOME: config.home,
    BERTH_DATA_DIR: config.dataDir,
    BERTH_RUN_DIR: config.runDir,
    // What Node made of a bundle is kept beside it: a quarter of the time that a process needs until its own first line (measured).
    ...(bundled && { NODE_COMPILE_CACHE: path.join(import.meta.dirname, '.cache') }),
  }
}

/** The gateway first, so that no new call arrives; then the services side by side. */
async function stopInOrder(children: readonly Child[]): Promise<void> {
  const [gateway, ...services] = children
  await gateway?.stop(SERVICE_GRACE_MS)
  await Promise.all(services.map((child) => child.stop(SERVICE_GRACE_MS)))
}

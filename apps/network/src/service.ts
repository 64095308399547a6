import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { armFailpoints, createOperations, holdHost, type Lease, operationService, startRetention } from '@berth/controller'
import { ownDatabase } from '@berth/controller/audit/own-database'
import { type Database, openDatabase, showTransactions } from '@berth/db'
import { type Events, eventService, openEvents } from '@berth/events'
import { createRunner, type Runner } from '@berth/host'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { NetworkHostService } from '@berth/proto/berth/network/host/v1/network_host_pb.ts'
import { NetworkService } from '@berth/proto/berth/network/v1/network_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { callerOf, serve, service, verifier } from '@berth/rpc'
import { createLogger, createMetrics, type Logger, serveHealth } from '@berth/telemetry'
import type { NetworkConfig } from './config.ts'
import { reachableResolvers } from './domain/dnsmasq.ts'
import { createGate } from './domain/gate.ts'
import { dnsmasqServer } from './host/dns-server.ts'
import { fileRecord } from './host/host-record.ts'
import { hostSettingsKeeper } from './host/host-settings.ts'
import { linuxNetwork } from './host/linux-network.ts'
import { type HostAdapters, recordedHost } from './host/recorder.ts'
import { procSettings } from './host/sysctl.ts'
import { cleaning } from './loops/clean.ts'
import type { NetworkContext } from './loops/context.ts'
import { startLoops } from './loops/start.ts'
import { networkWork } from './loops/work.ts'
import { auditRoutes } from './routes/audit.ts'
import { hostNetworkRoutes } from './routes/host-network.ts'
import { networkRoutes } from './routes/networks.ts'
import { allotHostNames } from './store/host-names.ts'
import { shelfOf } from './store/shelf.ts'
import { openStores } from './store/stores.ts'

const resolvFile = '/etc/resolv.conf'

export type RunningNetwork = AsyncDisposable & {
  port: number
  healthPort: number
  hostId: string
  db: Database
  /** Resolves when another process has taken this host over. */
  lost: Promise<void>
}

/**
 * Starts the service: serves once it holds the host. NATS may be away; a database that is away is waited for, with the health server up. Bridges, taps
 * and DNS of an earlier run are found by their rows and go on.
 *
 * @param options.signal ends the wait
 */
export async function startService(
  config: NetworkConfig,
  options: { logger?: Logger; signal?: AbortSignal } = {},
): Promise<RunningNetwork> {
  const { dataDir, listen, failpointsFile } = config
  const logger = options.logger ?? createLogger({ name: 'network', level: config.logLevel })
  const signal = options.signal ?? new AbortController().signal
  await using stack = new AsyncDisposableStack()

  const db = stack.use(openDatabase({ url: config.databaseUrl, schema: 'network', prepare: config.databasePrepare }))
  const metrics = createMetrics()
  let holds = false
  const ready = async () => ({ host: holds, database: await answers(db) })
  const probes = stack.use(await serveHealth({ host: listen.host, port: listen.port && listen.port + 100, ready, metrics }))

  const lease = stack.use(await holdHost({ db, dataDir, advertise: config.advertise, logger, signal }))
  const events = stack.use(openEvents({ db, natsUrl: config.natsUrl, logger }))
  stack.use(startRetention({ db, events, logger }))
  const operations = stack.use(createOperations({ db, events }))
  const runner = stack.use(createRunner({ logger, title: 'berth-network-run' }))
  armFailpoints({ file: failpointsFile, service: 'network', cut: ['relay'] })

  const root = path.join(dataDir, 'network')
  const adapters = config.hostNetwork === 'recorder' ? recordedHost() : linuxHost(runner, root)
  const context = await buildContext({ db, lease, logger, adapters })
  const work = networkWork(context)
  showTransactions(metrics, db)
  const server = stack.use(await serveAll(config, { db, events, operations, work, context }))
  holds = true
  // After the server, so that they end before it drains.
  stack.use(startLoops(context))
  logger.info({ port: server.port, names: context.names.short }, 'listening')
  const lost = new Promise<void>((resolve) => lease.signal.addEventListener('abort', () => resolve(), { once: true }))
  stack.defer(() => probes.stopping())
  const running = stack.move()
  return { port: server.port, healthPort: probes.port, hostId: lease.hostId, db, lost, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

function linuxHost(runner: Runner, root: string): HostAdapters {
  const settings = procSettings()
  return {
    host: linuxNetwork({ runner, settings, hostSettings: hostSettingsKeeper(settings, path.join(root, 'settings.json')) }),
    dns: dnsmasqServer({ runner, root, resolvFile }),
    record: fileRecord(path.join(root, 'host-record.json')),
  }
}

type Built = { db: Database; lease: Lease; logger: Logger; adapters: HostAdapters }

async function buildContext({ db, lease, logger, adapters }: Built): Promise<NetworkContext> {
  return {
    stores: openStores(db),
    lease,
    names: await allotHostNames(db, lease.hostId, randomBytes),
    ...adapters,
    gate: createGate(),
    random: randomBytes,
    logger,
    known: new Set(),
    resolvers: async () => reachableResolvers(await readFile(resolvFile, 'utf8').catch(() => '')),
  }
}

type Served = {
  db: Database
  events: Events
  operations: ReturnType<typeof createOperations>
  work: ReturnType<typeof networkWork>
  context: NetworkContext
}

function serveAll({ dataDir, listen, gatewayAddress }: NetworkConfig, { db, events, operations, work, context }: Served) {
  const { stores, logger, lease } = context
  const sure = () => ownDatabase({ db, dataDir, lease })
  const auth = verifier({
    audience: 'network',
    dataDir,
    jwksUrl: `http://${gatewayAddress}/.well-known/jwks.json`,
    cacheFile: path.join(dataDir, 'network', 'jwks.json'),
  })
  return serve({
    name: 'network',
    listen: `${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${listen.port}`,
    auth,
    logger,
    services: [
      service(NetworkService, networkRoutes(shelfOf(stores.networks, events), shelfOf(stores.ports, events))),
      service(NetworkHostService, hostNetworkRoutes(work)),
      service(OperationService, operationService({ operations, callerOf })),
      service(EventService, eventService({ events, callerOf })),
      service(AuditService, auditRoutes(work, cleaning(context, sure))),
    ],
  })
}

async function answers(db: Database): Promise<boolean> {
  return db.ping().then(
    () => true,
    () => false,
  )
}

import path from 'node:path'
import { formatHostPort } from '@berth/config'
import { armFailpoints, createOperations, holdHost, operationService, startRetention } from '@berth/controller'
import { ownDatabase } from '@berth/controller/audit/own-database'
import { type Database, openDatabase, showTransactions } from '@berth/db'
import { eventService, openEvents } from '@berth/events'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { DeviceService } from '@berth/proto/berth/device/v1/device_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { callerOf, serve, service, verifier } from '@berth/rpc'
import { createLogger, createMetrics, type Logger, serveHealth } from '@berth/telemetry'
import type { DeviceConfig } from './config.ts'
import { createInventory } from './domain/rescan.ts'
import { pciNames } from './host/pci-names.ts'
import { sysfsBus } from './host/sysfs-bus.ts'
import { rescanLoop } from './loops/rescan-loop.ts'
import { auditRoutes } from './routes/audit.ts'
import { deviceRoutes } from './routes/devices.ts'
import { deviceRows, deviceStore, publicDevices } from './store/devices.ts'

export type DeviceInventory = AsyncDisposable & {
  port: number
  healthPort: number
  hostId: string
  db: Database
  /** Resolves when another process has taken this host over. */
  lost: Promise<void>
}

/**
 * Starts the service: serves once it holds the host. NATS may be away; a database that is away is waited for, with the health server up.
 *
 * @param options.signal ends the wait
 */
export async function startService(
  config: DeviceConfig,
  options: { logger?: Logger; signal?: AbortSignal } = {},
): Promise<DeviceInventory> {
  const { dataDir, listen } = config
  const logger = options.logger ?? createLogger({ name: 'device', level: config.logLevel })
  const signal = options.signal ?? new AbortController().signal
  await using stack = new AsyncDisposableStack()

  const db = stack.use(openDatabase({ url: config.databaseUrl, schema: 'device', prepare: config.databasePrepare }))
  const metrics = createMetrics()
  let holds = false
  const ready = async () => ({ host: holds, database: await answers(db) })
  const probes = stack.use(await serveHealth({ host: listen.host, port: listen.port && listen.port + 100, ready, metrics }))

  const lease = stack.use(await holdHost({ db, dataDir, advertise: config.advertise, logger, signal }))
  const events = stack.use(openEvents({ db, natsUrl: config.natsUrl, logger }))
  stack.use(startRetention({ db, events, logger }))
  const operations = stack.use(createOperations({ db, events }))
  armFailpoints({ file: config.failpointsFile, service: 'device' })

  const inventory = createInventory({
    bus: sysfsBus(config),
    naming: await pciNames(),
    rows: deviceRows({ db, lease }),
    hostId: lease.hostId,
  })
  const stop = new AbortController()
  const scanning = rescanLoop(inventory, logger, AbortSignal.any([stop.signal, lease.signal]))
  stack.defer(() => scanning)
  stack.defer(() => stop.abort())

  const watch: Parameters<typeof deviceRoutes>[0]['watch'] = (request) => events.watchResources(deviceStore(db), request)
  const auth = verifier({
    audience: 'device',
    dataDir,
    jwksUrl: `http://${config.gatewayAddress}/.well-known/jwks.json`,
    cacheFile: path.join(dataDir, 'device', 'jwks.json'),
  })
  const server = stack.use(
    await serve({
      name: 'device',
      listen: formatHostPort(listen),
      auth,
      logger,
      services: [
        service(DeviceService, deviceRoutes({ ...inventory, devices: publicDevices(db), watch })),
        service(OperationService, operationService({ operations, callerOf })),
        service(EventService, eventService({ events, callerOf })),
        service(AuditService, auditRoutes(inventory, { sure: () => ownDatabase({ db, dataDir, lease }), logger })),
      ],
    }),
  )
  holds = true
  showTransactions(metrics, db)
  const lost = new Promise<void>((resolve) => lease.signal.addEventListener('abort', () => resolve(), { once: true }))
  stack.defer(() => probes.stopping())
  const running = stack.move()
  return { port: server.port, healthPort: probes.port, hostId: lease.hostId, db, lost, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

async function answers(db: Database): Promise<boolean> {
  return db.ping().then(
    () => true,
    () => false,
  )
}

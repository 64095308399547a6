import path from 'node:path'
import { formatHostPort } from '@berth/config'
import { armFailpoints, controller, createOperations, holdHost, operationService, startRetention } from '@berth/controller'
import { ownDatabase } from '@berth/controller/audit/own-database'
import { type Database, openDatabase, showTransactions } from '@berth/db'
import { eventService, openEvents } from '@berth/events'
import { createRunner, keyedLock } from '@berth/host'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { VolumeHostService } from '@berth/proto/berth/volume/host/v1/volume_host_pb.ts'
import { VolumeService } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { callerOf, serve, service, verifier } from '@berth/rpc'
import { createLogger, createMetrics, type Logger, serveHealth } from '@berth/telemetry'
import type { VolumeConfig } from './config.ts'
import type { Owner } from './domain/access.ts'
import type { ClaimedDisk } from './domain/ports.ts'
import { directoryPool } from './host/directory-pool.ts'
import { recorderPool } from './host/recorder-pool.ts'
import { createInterrupts } from './loops/interrupts.ts'
import { reconcileDisk } from './loops/reconcile-disk.ts'
import { ensureStep, releaseStep } from './loops/steps.ts'
import { auditRoutes } from './routes/audit.ts'
import { hostVolumeRoutes } from './routes/host-volumes.ts'
import { volumeRoutes } from './routes/volumes.ts'
import { auditedRows } from './store/audited.ts'
import { claims } from './store/claims.ts'
import { type DiskStore, scratchStore, volumeStore } from './store/disks.ts'
import { publicVolumes } from './store/public-volumes.ts'

const pool = 'default'

export type VolumeProvisioner = AsyncDisposable & {
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
  config: VolumeConfig,
  options: { logger?: Logger; signal?: AbortSignal } = {},
): Promise<VolumeProvisioner> {
  const { dataDir, listen, failpointsFile } = config
  const logger = options.logger ?? createLogger({ name: 'volume', level: config.logLevel })
  const signal = options.signal ?? new AbortController().signal
  await using stack = new AsyncDisposableStack()

  const db = stack.use(openDatabase({ url: config.databaseUrl, schema: 'volume', prepare: config.databasePrepare }))
  const metrics = createMetrics()
  let holds = false
  const ready = async () => ({ host: holds, database: await answers(db) })
  const probes = stack.use(await serveHealth({ host: listen.host, port: listen.port && listen.port + 100, ready, metrics }))

  const lease = stack.use(await holdHost({ db, dataDir, advertise: config.advertise, logger, signal }))
  const events = stack.use(openEvents({ db, natsUrl: config.natsUrl, logger }))
  stack.use(startRetention({ db, events, logger }))
  const operations = stack.use(createOperations({ db, events }))
  const runner = stack.use(createRunner({ logger, title: 'berth-volume-run' }))
  const place = { folder: path.join(dataDir, 'volume', pool), name: pool, reserveBytes: config.reserveBytes }
  const backend = config.storage === 'recorder' ? recorderPool(place) : await directoryPool({ ...place, runner })
  armFailpoints({ file: failpointsFile, service: 'volume', cut: ['calls', 'relay'] })

  const interrupts = createInterrupts()
  const keeping = (name: string, store: DiskStore, concurrency: number) => {
    const loop = { db, store, backend, operations, interrupts }
    return stack.use(
      controller({ name, store, lease, events, operations, concurrency, logger, reconcile: (row, ctx) => reconcileDisk(loop, row, ctx) }),
    )
  }
  const controllers = {
    volume: keeping('volume', volumeStore(db), 4),
    scratch: keeping('scratch', scratchStore(db) as unknown as DiskStore, 4),
  }
  const turns = keyedLock()
  const ensure = {
    claims: claims({ db, lease, pool }),
    inTurn: <T>({ kind, id, slot }: Owner, until: AbortSignal, write: () => Promise<T>) => turns(`${kind}/${id}/${slot}`, until, write),
    backend,
    ensureStep,
    releaseStep,
    epoch: lease.epoch,
    reconcileNow: ({ kind, id }: ClaimedDisk, until: AbortSignal) => controllers[kind].reconcileNow(id, until),
    interrupt: ({ id }: ClaimedDisk, reason: Error) => interrupts.interrupt(id, reason),
  }
  const sure = () => ownDatabase({ db, dataDir, lease })
  const volumes = publicVolumes({ db, lease, pool })
  const watch: Parameters<typeof volumeRoutes>[0]['watch'] = (request) => events.watchResources(volumeStore(db), request)
  showTransactions(metrics, db)

  const auth = verifier({
    audience: 'volume',
    dataDir,
    jwksUrl: `http://${config.gatewayAddress}/.well-known/jwks.json`,
    cacheFile: path.join(dataDir, 'volume', 'jwks.json'),
  })
  const server = stack.use(
    await serve({
      name: 'volume',
      listen: formatHostPort(listen),
      auth,
      logger,
      services: [
        service(VolumeService, volumeRoutes({ volumes, backend, hostId: lease.hostId, watch })),
        service(VolumeHostService, hostVolumeRoutes(ensure)),
        service(OperationService, operationService({ operations, callerOf })),
        service(EventService, eventService({ events, callerOf })),
        service(AuditService, auditRoutes({ backend, hostId: lease.hostId, rows: () => auditedRows(db, lease.hostId), sure, logger })),
      ],
    }),
  )
  holds = true
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

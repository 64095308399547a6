import { armFailpoints, controller, createOperations, holdHost, type Lease, operationService, startRetention } from '@berth/controller'
import { formatHostPort } from '@berth/config'
import { type Database, openDatabase, showTransactions } from '@berth/db'
import { eventService, openEvents } from '@berth/events'
import { createRunner } from '@berth/host'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { ImageHostService } from '@berth/proto/berth/image/host/v1/image_host_pb.ts'
import { ImageService, KernelService } from '@berth/proto/berth/image/v1/image_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { callerOf, serve, service, verifier } from '@berth/rpc'
import { createLogger, createMetrics, type Logger, serveHealth } from '@berth/telemetry'
import type { Config } from './config.ts'
import { kernelFiles } from './host/kernel-files.ts'
import { library } from './host/library.ts'
import { pathsIn, prepareFolders } from './host/paths.ts'
import { registryClient } from './host/registry/client.ts'
import { reconcileImage } from './loops/images.ts'
import { routeContext } from './route-context.ts'
import { auditRoutes } from './routes/audit.ts'
import { hostRoutes } from './routes/host.ts'
import { imageRoutes } from './routes/images.ts'
import { kernelRoutes } from './routes/kernels.ts'
import { imageStore, viewOf } from './store/images.ts'
import { kernelStore, recordKernel } from './store/kernels.ts'
import { outcomes } from './store/outcomes.ts'

export interface Service extends AsyncDisposable {
  port: number
  healthPort: number
  db: Database
  /** Aborts when another process has taken this host over. */
  overtaken: AbortSignal
}

export interface ServiceOptions {
  logger?: Logger
  /** Ends the wait for the host's lock and the database. */
  signal?: AbortSignal
  /** Shorter waits of the registry client, for tests. */
  registry?: { idleMs?: number; retryBaseMs?: number; paceMs?: number }
}

/**
 * Starts the image service: it serves once it holds the host. NATS and registries may be away; a database that is away is waited for, with the
 * health server up.
 */
export async function startService(config: Config, options: ServiceOptions = {}): Promise<Service> {
  const { signal = new AbortController().signal, registry = {} } = options
  const logger = options.logger ?? createLogger({ name: 'image', level: config.logLevel })
  await using stack = new AsyncDisposableStack()
  const { dataDir } = config
  armFailpoints({ file: config.failpointsFile, service: 'image', cut: ['calls', 'relay'] })

  const db = stack.use(openDatabase({ url: config.databaseUrl, schema: 'image', prepare: config.databasePrepare }))
  const metrics = createMetrics()
  showTransactions(metrics, db)
  let holds = false
  const ready = async () => ({ host: holds, database: await answers(db) })
  const { listen } = config
  const health = stack.use(await serveHealth({ host: listen.host, port: listen.port && listen.port + 100, ready, metrics }))

  const lease = stack.use(await holdHost({ db, dataDir, advertise: config.advertise, logger, signal }))
  const events = stack.use(openEvents({ db, natsUrl: config.natsUrl, logger }))
  const operations = stack.use(createOperations({ db, events }))
  stack.use(startRetention({ db, events, logger }))

  const paths = pathsIn(dataDir)
  await prepareFolders(paths)
  const runner = stack.use(createRunner({ logger, title: 'berth-image-run' }))
  const { insecureRegistries, proxy } = config
  const client = stack.use(registryClient({ insecureRegistries, proxy, ...registry }))
  const books = library({ paths, runner, client, ...registry })

  const images = imageStore(db)
  const kernels = { files: kernelFiles(paths), store: kernelStore(db) }
  const pair = await takeKernel(kernels, lease, config.guestDir, logger)
  const reconcile = reconcileImage({ db, library: books, outcomes: outcomes(images), operations, logger })
  const loop = stack.use(
    controller({ name: 'image', store: viewOf(images, lease.hostId), lease, events, operations, concurrency: 4, reconcile, logger }),
  )

  const ctx = routeContext({
    ...{ db, lease, events, images, kernels, pair, library: books, paths, dataDir, logger },
    wake: (id) => loop.enqueue(id),
  })
  const jwksUrl = `http://${config.gatewayAddress}/.well-known/jwks.json`
  const auth = verifier({ audience: 'image', dataDir, jwksUrl, cacheFile: `${paths.home}/jwks.json` })
  const server = stack.use(
    await serve({
      name: 'image',
      listen: formatHostPort(listen),
      auth,
      logger,
      services: [
        service(ImageService, imageRoutes(ctx)),
        service(KernelService, kernelRoutes(ctx)),
        service(ImageHostService, hostRoutes(ctx)),
        service(OperationService, operationService({ operations, callerOf })),
        service(EventService, eventService({ events, callerOf })),
        service(AuditService, auditRoutes(ctx)),
      ],
    }),
  )
  holds = true
  stack.defer(() => health.stopping())
  const owned = stack.move()
  return { port: server.port, healthPort: health.port, db, overtaken: lease.signal, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

type Kernels = { files: ReturnType<typeof kernelFiles>; store: ReturnType<typeof kernelStore> }

/** A guest folder that is missing or wrong leaves the host without a new kernel, not without images. */
async function takeKernel({ files, store }: Kernels, lease: Lease, guestDir: string, logger: Logger) {
  try {
    const pair = await files.take(guestDir)
    if (!pair) logger.warn({ guestDir }, 'there is no guest kernel to take')
    return pair && (await recordKernel(store, lease, pair))
  } catch (error) {
    logger.error({ err: error, guestDir }, 'the guest kernel could not be taken')
    return undefined
  }
}

const answers = (db: Database): Promise<boolean> =>
  db.ping().then(
    () => true,
    () => false,
  )

import { availableParallelism, hostname, totalmem } from 'node:os'
import path from 'node:path'
import { admission, armFailpoints, controller, createOperations, holdHost, operationService, startRetention } from '@berth/controller'
import { ownDatabase } from '@berth/controller/audit/own-database'
import { type Database, openDatabase, showTransactions } from '@berth/db'
import { eventService, openEvents } from '@berth/events'
import { bootId } from '@berth/host'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { HostService, InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { callerOf, connectTo, hostIdentity, serve, service, verifier } from '@berth/rpc'
import { createLogger, createMetrics, type Logger, serveHealth } from '@berth/telemetry'
import type { InstanceConfig } from './config.ts'
import { waitInCrowd } from './domain/agent-wait.ts'
import type { Peers } from './domain/peers.ts'
import type { Hypervisor } from './domain/ports.ts'
import { instanceFiles } from './host/files.ts'
import { openHypervisor } from './hypervisor.ts'
import { auditorOf } from './loops/auditor.ts'
import { cleaning } from './loops/clean.ts'
import type { InstanceContext } from './loops/context.ts'
import { guestsOf } from './loops/guests.ts'
import { livingVms } from './loops/living.ts'
import { reconcileInstance } from './loops/reconcile.ts'
import { strangersOf } from './loops/strangers.ts'
import { images } from './peers/images.ts'
import { networks } from './peers/networks.ts'
import { replicas } from './peers/replicas.ts'
import { volumes } from './peers/volumes.ts'
import { auditRoutes } from './routes/audit.ts'
import { hostRoutes } from './routes/hosts.ts'
import { instanceRoutes } from './routes/instances.ts'
import { announceHost, hostsIn } from './store/hosts.ts'
import { instancesIn } from './store/instances.ts'
import { instanceStore } from './store/tables.ts'

export type InstanceServer = AsyncDisposable & {
  port: number
  healthPort: number
  db: Database
  hypervisor: Hypervisor
  /** Aborts when another process has taken this host over. */
  overtaken: AbortSignal
}

/** Parts that tests replace. */
export type Parts = { logger?: Logger; signal?: AbortSignal; peers?: Peers; hypervisor?: Hypervisor }

/** The longest that trying KVM takes. */
const probeMs = 30_000
/** Reconciles at once; most of their time they wait. */
const concurrency = 32

/** Starts the instance service and finds the VMs of its host. Waits for the host's lock and the database, as long as `signal` lets it. */
export async function startService(config: InstanceConfig, parts: Parts = {}): Promise<InstanceServer> {
  const logger = parts.logger ?? createLogger({ name: 'instance', level: config.logLevel })
  await using stack = new AsyncDisposableStack()
  const stop = new AbortController()
  const signal = parts.signal ? AbortSignal.any([parts.signal, stop.signal]) : stop.signal

  const db = stack.use(openDatabase({ url: config.databaseUrl, schema: 'instance', prepare: config.databasePrepare }))
  const events = stack.use(openEvents({ db, natsUrl: config.natsUrl, logger }))
  let held = false
  const ready = async () => ({ database: await answers(db.ping()), host: held })
  const metrics = createMetrics()
  showTransactions(metrics, db)
  const health = stack.use(await serveHealth({ host: config.listen.host, port: config.healthPort, ready, metrics }))
  const lease = stack.use(await holdHost({ db, dataDir: config.dataDir, service: 'instance', advertise: config.advertise, logger, signal }))
  const folders = { dataDir: path.join(config.dataDir, 'instance'), runDir: config.runDir, host: lease.hostId }
  armFailpoints({ file: config.failpointsFile, service: 'instance', cut: ['calls', 'relay'] })
  const operations = stack.use(createOperations({ db, events }))
  stack.use(startRetention({ db, events, logger }))

  const identity = (audience: string) => hostIdentity({ keyFile: path.join(config.dataDir, 'host.key'), audience, actor: 'berth-instance' })
  const peer = (name: keyof InstanceConfig['peers']) => stack.use(connectTo({ target: config.peers[name], identity: identity(name) }))
  const peers = parts.peers ?? { images: images(peer('image')), volumes: volumes(peer('volume')), networks: networks(peer('network')) }
  const life = new AbortController()
  stack.defer(() => life.abort())
  const hypervisor =
    parts.hypervisor ??
    (await openHypervisor({
      config,
      folders,
      logger,
      stack,
      images: peers.images,
      hostId: lease.hostId,
      epoch: lease.epoch,
      life: life.signal,
    }))

  const store = instanceStore(db)
  const wake = (id: string): void => instances.enqueue(id)
  const living = stack.use(livingVms(hypervisor, wake))
  const slots = config.bootSlots ?? availableParallelism()
  const context: InstanceContext = {
    ...{ store, operations, hypervisor, peers, living, files: instanceFiles(folders.dataDir), folders },
    strangers: strangersOf({ hypervisor, store }),
    admission: admission({ slots, operations, enqueue: wake }),
    holdNothing: new Set(),
    hostBootId: bootId(),
    agentWaitMs: waitInCrowd(config.agentWaitMs, slots, availableParallelism()),
  }
  const instances = stack.use(
    controller({
      name: 'instance',
      store,
      lease,
      events,
      operations,
      concurrency,
      logger,
      reconcile: (row, run) => reconcileInstance(context, row, run),
    }),
  )

  const announced = await announce(db, lease.hostId, hypervisor)
  announced.rest.catch((error: unknown) => logger.warn({ err: error }, 'the accelerator is not announced'))
  const hosts = hostsIn(db, lease.hostId)
  const routes = {
    instances: instancesIn({ store, events, uids: config.uids }),
    hosts,
    guests: guestsOf({ ...context, events }),
    auditor: auditorOf(context, lease.hostId),
    clean: cleaning({ ...context, host: lease.hostId, sure: () => ownDatabase({ db, dataDir: config.dataDir, lease }), logger }),
    clientAt: stack.use(replicas(identity('instance'))).at,
  }
  const server = await serve({
    name: 'instance',
    listen: `${config.listen.host}:${config.listen.port}`,
    auth: verifier({
      audience: 'instance',
      dataDir: config.dataDir,
      jwksUrl: config.keySetUrl,
      cacheFile: path.join(folders.dataDir, 'jwks.json'),
    }),
    logger,
    services: [
      service(InstanceService, instanceRoutes(routes)),
      service(HostService, hostRoutes(routes)),
      service(OperationService, operationService({ operations, callerOf })),
      service(EventService, eventService({ events, callerOf })),
      service(AuditService, auditRoutes(routes)),
    ],
  })
  stack.use(server)
  held = true
  logger.info({ port: server.port, hypervisor: hypervisor.name }, 'listening')
  stack.defer(() => health.stopping())
  const running = stack.move()
  return {
    ...{ port: server.port, healthPort: health.port, db, hypervisor, overtaken: lease.signal },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running.disposeAsync()
    },
  }
}

/** Tells all hosts what this one is: what is known now, and in the background what its accelerator turns out to be. */
async function announce(db: Database, hostId: string, hypervisor: Hypervisor): Promise<{ rest: Promise<void> }> {
  const tell = async (patienceMs: number): Promise<void> => {
    const facts = {
      name: hostname(),
      cpus: availableParallelism(),
      memoryBytes: totalmem(),
      hypervisors: [await hypervisor.facts(patienceMs)],
    }
    await announceHost(db, hostId, facts)
  }
  await tell(0)
  return { rest: tell(probeMs) }
}

async function answers(question: Promise<unknown>): Promise<boolean> {
  return question.then(
    () => true,
    () => false,
  )
}

import { type Database, openDatabase, showTransactions } from '@berth/db'
import { invalidArgument, unavailable } from '@berth/errors'
import { AuditService } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import * as rpc from '@berth/rpc'
import { createLogger, createMetrics, type Logger, type Metrics, serveHealth } from '@berth/telemetry'
import { ensureAdminKey } from './admin-key.ts'
import type { GatewayConfig } from './config.ts'
import { makeGatekeeper } from './edge/gatekeeper.ts'
import { edgeHandler } from './edge/handler.ts'
import { apiKeyIdentity } from './edge/identity/api-key-identity.ts'
import { ownKeys } from './edge/identity/own-keys.ts'
import { serviceTokens } from './edge/identity/service-tokens.ts'
import { keySet } from './edge/key-set.ts'
import { listenEdge } from './edge/listen.ts'
import { peerNames, publicServices } from './edge/peers/catalog.ts'
import { forwardService } from './edge/peers/forward.ts'
import { openPeer, type Peer } from './edge/peers/peer.ts'
import { registerKeys } from './loops/register-keys.ts'
import { accessRoutes } from './routes/access.ts'
import { auditRoutes } from './routes/audit.ts'
import { eventRoutes } from './routes/events.ts'
import { operationRoutes } from './routes/operations.ts'
import type { PeerClients } from './routes/peers.ts'
import { apiKeyStore } from './store/api-keys.ts'
import { signingKeyStore } from './store/signing-keys.ts'

/** Version that callers are told. */
export const version = '0.1.0'

export type GatewayService = AsyncDisposable & { port: number; healthPort: number; db: Database }

/** Starts the gateway. A database or a service that is away does not keep it from starting; calls that need them say so. */
export async function startService(config: GatewayConfig, options: { logger?: Logger } = {}): Promise<GatewayService> {
  const logger = options.logger ?? createLogger({ name: 'gateway', level: config.logLevel })
  await using stack = new AsyncDisposableStack()
  const db = stack.use(openDatabase({ url: config.databaseUrl, schema: 'access', prepare: config.databasePrepare }))
  const keys = await ownKeys(config.dataDir)
  const stop = new AbortController()
  const signingKeys = signingKeyStore(db)
  const records = async () => ({ complete: await keys.refresh(), records: keys.records() })
  const registering = registerKeys({ store: signingKeys, keys: records, logger, signal: stop.signal })
  stack.defer(() => registering)
  stack.defer(() => stop.abort())

  const tokens = serviceTokens(keys.gateway)
  const peers = peerNames.map((name) => stack.use(openPeer(name, config.peers[name], tokens)))
  const clients = peers.map(clientsOf)
  const mint: Parameters<typeof accessRoutes>[0]['mint'] = ({ actor, project, roles }, audience, lifetimeMs) =>
    rpc.mintToken({ key: keys.gateway, audience, actor, project, roles, plane: 'public', lifetimeMs })
  const own = [accessRoutes({ version, mint }), operationRoutes(clients), eventRoutes(clients), auditRoutes(clients)]
  const forwarded = peers.flatMap((peer, index) => publicServices(peerNames[index] ?? 'image').map((desc) => forwardService(desc, peer)))
  const services = [...own, ...forwarded]
  const descs = services.map(({ desc }) => desc)
  rpc.requirePolicies(descs)
  stack.use(rpc.warmValidation(own.map(({ desc }) => desc)))

  const metrics = createMetrics()
  showTransactions(metrics, db)
  const health = new rpc.HealthState(descs.map(({ typeName }) => typeName))
  const drain = new AbortController()
  const force = new AbortController()
  const authenticator = apiKeyIdentity({ store: apiKeyStore(db) })
  const handler = edgeHandler({
    services: [...services, rpc.healthService(health), ...rpc.reflectionServices(descs)],
    gatekeeper: makeGatekeeper({
      gates: [rpc.requestIdGate(), rpc.identityGate(authenticator), rpc.permissionGate()],
      drainSignal: drain.signal,
      own: new Set(own.map(({ desc }) => desc.typeName)),
      record: rpc.callRecord(logger, observer(metrics)),
    }),
    authenticator,
    shutdownSignal: force.signal,
    keySet: keySet(signingKeys, () => keys.records()),
  })
  let listening = false
  const ready = async () => ({
    listening,
    database: await db.ping().then(
      () => true,
      () => false,
    ),
  })
  const probes = stack.use(await serveHealth({ host: config.listen.host, port: config.healthPort, ready, metrics }))
  const edge = await listenEdge(config.listen, handler)
  stack.defer(async () => {
    health.setServing(false)
    const reason = unavailable('SHUTTING_DOWN', 'the gateway is shutting down', { retryAfterMs: 1000 })
    // Streams end at once, other calls may finish.
    setImmediate(() => drain.abort(reason))
    const timer = setTimeout(() => force.abort(rpc.toConnectError(reason, '')), config.drainMs)
    await edge.close(config.drainMs + 1000)
    clearTimeout(timer)
  })
  listening = true
  logger.info({ port: edge.port }, 'listening')
  stack.defer(() => probes.stopping())
  const running = stack.move()
  return { port: edge.port, healthPort: probes.port, db, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

function clientsOf(peer: Peer): PeerClients {
  const { name, transport, headersFor } = peer
  return {
    name,
    headersFor,
    operations: rpc.clientOf(OperationService, transport),
    events: rpc.clientOf(EventService, transport),
    audit: rpc.clientOf(AuditService, transport),
  }
}

function observer(metrics: Metrics): rpc.ObserveCall {
  const time = metrics.histogram('berth_rpc_server_call_duration_seconds', 'Time of calls that ended.')
  return ({ service, method, code, durationMs }) => time.observe(durationMs / 1000, { service, method, code })
}

/** What `--make-admin-key FILE` does: sees to it that the file holds a key with the role admin. */
export async function makeAdminKey(config: GatewayConfig, file: string | undefined): Promise<void> {
  if (!file) throw invalidArgument('NO_FILE', 'say in which file: --make-admin-key FILE')
  await using db = openDatabase({ url: config.databaseUrl, schema: 'access', prepare: config.databasePrepare })
  await ensureAdminKey({ db, file })
}

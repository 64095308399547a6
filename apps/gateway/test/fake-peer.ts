import { notFound, outOfRange } from '@berth/errors'
import { AuditService, FindingSide, RemovalOutcome } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { EventService } from '@berth/proto/berth/event/v1/event_pb.ts'
import { InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type OperationSchema, OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { type Authenticator, callerOf, type RpcServer, requestIdOf, type ServiceEntry, serve, service, verifier } from '@berth/rpc'
import { createLogger } from '@berth/telemetry'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { EventEmitter, once } from 'node:events'
import type { PeerName } from '../src/edge/peers/catalog.ts'

export const logger = createLogger({ name: 'test', level: 'silent' })
type OperationInit = MessageInitShape<typeof OperationSchema>
type FakeEvent = { seq: number; timeMs: number }

const prefixes: Record<PeerName, string> = { image: 'imgop', volume: 'volop', network: 'netop', device: 'devop', instance: 'insop' }

/** An id of a peer that ends in the number. */
export function operationId(peer: PeerName, number: number): string {
  return `${prefixes[peer]}_${String(number).padStart(26, '0')}`
}

/** A stand-in for one of the five: the shared services over what it holds, and for instances routes that echo. */
export class FakePeer implements AsyncDisposable {
  readonly name: PeerName
  readonly operations: OperationInit[] = []
  readonly events: FakeEvent[] = []
  readonly changes = new EventEmitter().setMaxListeners(0)
  port = 0
  /** What its audit finds beside what it always does. */
  readonly orphans: string[] = []
  /** What it was asked to clean up. */
  readonly cleaned: { names: string[]; maxRemovals: number; includeRunning: boolean; validateOnly: boolean }[] = []
  /** Names of routes whose call was cancelled. */
  readonly cancelled: string[] = []
  readonly #auth: Authenticator
  #server: RpcServer | undefined

  constructor(name: PeerName, dataDir: string, jwksUrl: () => string) {
    this.name = name
    let made: Authenticator | undefined
    this.#auth = {
      verify(token) {
        made ??= verifier({ audience: name, dataDir, jwksUrl: jwksUrl(), minIntervalMs: 0 })
        return made.verify(token)
      },
    }
  }

  /** Serves, on the port it had before. */
  async start(): Promise<void> {
    const services = [
      operationService(this),
      eventService(this),
      auditService(this),
      ...(this.name === 'instance' ? [instanceService(this)] : []),
    ]
    this.#server = await serve({
      name: this.name,
      listen: `127.0.0.1:${this.port}`,
      services,
      auth: this.#auth,
      logger,
      limits: { drainMs: 100 },
    })
    this.port = this.#server.port
  }

  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]()
    this.#server = undefined
  }

  addOperation(number: number): void {
    this.operations.push({ id: operationId(this.name, number), createTime: timestampFromMs(number * 1000), kind: `${this.name}.create` })
  }

  addEvent(timeMs = Date.now()): void {
    this.events.push({ seq: this.events.length + 1, timeMs })
    this.changes.emit('change')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

function operationService(peer: FakePeer): ServiceEntry {
  const find = (id: string): OperationInit => {
    const found = peer.operations.find((candidate) => candidate.id === id)
    if (!found) throw notFound('OPERATION_NOT_FOUND', 'no such operation', { field: 'id' })
    return found
  }
  return service(OperationService, {
    getOperation: ({ id }) => ({ operation: find(id) }),
    waitOperation: ({ id }, ctx) => ({ operation: { ...find(id), resourceName: String(ctx.timeoutMs()) } }),
    async *watchOperation({ id }) {
      yield { operation: find(id) }
    },
    cancelOperation: ({ id }) => ({ operation: { ...find(id), cancelRequested: true } }),
    listOperations({ pageSize, pageToken }) {
      const from = Number(pageToken)
      const operations = peer.operations.slice(from, from + pageSize)
      const end = from + operations.length
      return { operations, nextPageToken: end < peer.operations.length ? String(end) : '' }
    },
  })
}

function eventService(peer: FakePeer): ServiceEntry {
  return service(EventService, {
    async *watchEvents({ resumeToken, fromStart, noFollow }, ctx) {
      if (resumeToken === 'expired') throw outOfRange('TOKEN_EXPIRED', 'too old')
      let seen = resumeToken ? Number(resumeToken) : fromStart ? 0 : peer.events.length
      for (;;) {
        for (const { seq, timeMs } of peer.events.slice(seen)) {
          seen = seq
          yield { event: { service: peer.name, seq: BigInt(seq), time: timestampFromMs(timeMs) }, resumeToken: String(seen) }
        }
        yield { resumeToken: String(seen) }
        if (noFollow) return
        await once(peer.changes, 'change', { signal: ctx.signal })
      }
    },
  })
}

function auditService(peer: FakePeer): ServiceEntry {
  return service(AuditService, {
    auditHost: () => ({
      findings: [
        { service: peer.name, kind: 'file', name: 'x' },
        ...peer.orphans.map((name) => ({ service: peer.name, kind: 'file', name, side: FindingSide.HOST_ONLY })),
      ],
      host: 'hst_a',
      compared: { file: 2n },
    }),
    cleanHost({ findings, maxRemovals, includeRunning, validateOnly }) {
      peer.cleaned.push({ names: findings.map(({ name }) => name), maxRemovals, includeRunning, validateOnly })
      const outcome = validateOnly ? RemovalOutcome.PLANNED : RemovalOutcome.REMOVED
      return { host: 'hst_a', removals: findings.map((finding) => ({ finding, outcome })) }
    },
  })
}

/** Routes that tell what they were asked, how, and by whom; all others fail with a typed error. */
function instanceService(peer: FakePeer): ServiceEntry {
  const missing = () => {
    throw notFound('INSTANCE_NOT_FOUND', 'no instance “x”', { field: 'id', metadata: { id: 'x' } })
  }
  const waits = async (name: string, ctx: HandlerContext): Promise<never> => {
    await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
    peer.cancelled.push(name)
    peer.changes.emit('change')
    throw ctx.signal.reason
  }
  const others = Object.fromEntries(InstanceService.methods.map(({ localName }) => [localName, missing])) as unknown as ServiceImpl<
    typeof InstanceService
  >
  return service(InstanceService, {
    ...others,
    async getInstance({ id }, ctx) {
      if (id === 'slow') await waits('get', ctx)
      if (id === 'broken') throw new Error('select secret from table')
      if (id !== 'whoami') return missing()
      const { actor, project, roles, plane } = callerOf(ctx)
      const facts = {
        actor,
        project,
        roles: roles.join(),
        plane,
        request: requestIdOf(ctx),
        timeout: String(ctx.timeoutMs()),
        trace: ctx.requestHeader.get('traceparent') ?? '',
      }
      return { instance: { id, labels: facts } }
    },
    listInstances: () => ({ instances: [{ id: 'ins_1', name: 'one' }] }),
    async *watchInstances(_request, ctx) {
      yield { instance: { id: 'ins_1', name: 'one' }, resumeToken: '1' }
      await waits('watch', ctx)
    },
    async *execInstance(requests) {
      for await (const { message } of requests) {
        if (message.case === 'start') yield { message: { case: 'started', value: { pid: 7 } } }
        if (message.case === 'stdin') yield { message: { case: 'stdout', value: message.value } }
        if (message.case === 'stdinEnd') yield { message: { case: 'exit', value: { code: 3 } } }
      }
    },
  })
}

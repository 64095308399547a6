// What the gateway adds to a unary call: run with Node; prints a table. One process each for client, gateway and service.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrate, openDatabase, roleOf, rolePasswords, urlAs } from '@berth/db'
import { startEmbeddedPostgres } from '@berth/host/embedded/index'
import { InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { connectTo, hostKey, mintToken } from '@berth/rpc'
import { makeTempDir } from '@berth/testing'
import { createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { ensureAdminKey, type GatewayConfig, startService } from '../src/index.ts'
import { type PeerName, peerNames } from '../src/edge/peers/catalog.ts'
import { FakePeer } from './fake-peer.ts'

type Job = { kind: 'peer'; dataDir: string } | { kind: 'gateway'; config: GatewayConfig }
const self = fileURLToPath(import.meta.url)

/** What a child does: serve, say on which port, and tell its processor time when asked. */
async function serveAs(job: Job): Promise<void> {
  process.on('disconnect', () => process.exit(0))
  const cpu = () => process.cpuUsage().user + process.cpuUsage().system
  process.on('message', (message) => message === 'cpu' && process.send?.({ cpu: cpu() }))
  if (job.kind === 'gateway') return void process.send?.({ port: (await startService(job.config)).port })
  const peer = new FakePeer('instance', job.dataDir, () => '')
  await peer.start()
  process.send?.({ port: peer.port })
}

async function start(job: Job): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(self, [JSON.stringify(job)])
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return { child, port }
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [{ cpu }] = (await once(child, 'message')) as [{ cpu: number }]
  return cpu
}

async function measure(name: string, transport: Transport, headers: Record<string, string>, children: ChildProcess[]): Promise<void> {
  const client = createClient(InstanceService, transport)
  const call = () => client.listInstances({}, { headers })
  for (let i = 0; i < 500; i++) await call()
  const times: number[] = []
  for (let i = 0; i < 1000; i++) {
    const at = performance.now()
    await call()
    times.push(performance.now() - at)
  }
  const sorted = times.toSorted((a, b) => a - b)
  const before = await Promise.all(children.map(cpuOf))
  const began = performance.now()
  const total = 3200
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (let i = 0; i < total / 32; i++) await call()
    }),
  )
  const seconds = (performance.now() - began) / 1000
  const after = await Promise.all(children.map(cpuOf))
  const cpu = after.map((value, index) => Math.round((value - (before[index] ?? 0)) / total))
  const ms = (quantile: number) => (sorted[Math.floor(sorted.length * quantile)] ?? 0).toFixed(2)
  console.log(`| ${name} | ${ms(0.5)} | ${ms(0.99)} | ${Math.round(total / seconds)} | ${cpu.join(' / ')} |`)
}

async function main(): Promise<void> {
  const home = fileURLToPath(new URL('../../..', import.meta.url))
  const dataDir = makeTempDir('overhead')
  const postgres = await startEmbeddedPostgres({ dataDir, home })
  const passwords = await rolePasswords(join(dataDir, 'roles.json'))
  await migrate({ url: postgres.url, home, passwords })
  const databaseUrl = urlAs(postgres.url, roleOf('access'), passwords.access)
  // One data folder, so that the stand-in trusts tokens signed with the host's key; the gateway's own key is that key here.
  const key = await hostKey(dataDir)
  await cp(join(dataDir, 'host.key'), join(dataDir, 'gateway', 'signing.key'))
  const peer = await start({ kind: 'peer', dataDir })
  const peers = Object.fromEntries(peerNames.map((name) => [name, `127.0.0.1:${peer.port}`])) as Record<PeerName, string>
  const listen = { host: '127.0.0.1', port: 0 }
  const config: GatewayConfig = {
    dataDir,
    listen,
    healthPort: 0,
    databaseUrl,
    databasePrepare: true,
    peers,
    logLevel: 'silent',
    drainMs: 1000,
  }
  const gateway = await start({ kind: 'gateway', config })
  const file = join(dataDir, 'admin.key')
  await using db = openDatabase({ url: databaseUrl, schema: 'access' })
  await ensureAdminKey({ db, file })
  const admin = { authorization: `Bearer ${(await readFile(file, 'utf8')).trim()}` }
  const { token } = await mintToken({ key, audience: 'instance', actor: 'key_x', project: 'default', roles: ['admin'], plane: 'public' })
  console.log('| path | p50 ms | p99 ms | calls/s at 32 | processor µs a call, service / gateway |\n|---|---|---|---|---|')
  const baseUrl = `http://127.0.0.1:${gateway.port}`
  const both = [peer.child, gateway.child]
  await measure('grpc-js → service', connectTo({ target: `127.0.0.1:${peer.port}` }), { authorization: `Bearer ${token}` }, both)
  await measure('grpc-js → gateway → service', connectTo({ target: `127.0.0.1:${gateway.port}` }), admin, both)
  await measure('gRPC (connect-node) → gateway → service', createGrpcTransport({ baseUrl }), admin, both)
  await measure('Connect, HTTP/2 → gateway → service', createConnectTransport({ baseUrl, httpVersion: '2' }), admin, both)
  await measure(
    'Connect JSON, HTTP/1.1 → gateway → service',
    createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
    admin,
    both,
  )
  for (const { child } of [gateway, peer]) child.kill('SIGTERM')
  await postgres.stop()
  await rm(dataDir, { recursive: true, force: true })
  process.exit(0)
}

await (process.argv[2] ? serveAs(JSON.parse(process.argv[2]) as Job) : main())

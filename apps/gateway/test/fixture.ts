import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLogger } from '@berth/telemetry'
import { type TestDatabase, tempDir, testDatabase } from '@berth/testing'
import { ensureAdminKey, type GatewayConfig, type GatewayService, startService } from '../src/index.ts'
import { type PeerName, peerNames } from '../src/edge/peers/catalog.ts'
import { FakePeer } from './fake-peer.ts'

export type Fixture = AsyncDisposable & {
  gateway: GatewayService
  config: GatewayConfig
  database: TestDatabase
  dataDir: string
  /** An admin's API key. */
  key: string
  peers: Record<PeerName, FakePeer>
  url: string
}

/** A gateway over a database and five stand-ins, each on a port of its own, all of which check identity tokens for real. */
export async function startFixture(): Promise<Fixture> {
  const stack = new AsyncDisposableStack()
  const database = stack.use(await testDatabase())
  const dataDir = stack.use(tempDir('gateway')).path
  let url = ''
  const peers = Object.fromEntries(
    peerNames.map((name) => [name, stack.use(new FakePeer(name, join(dataDir, 'host', name), () => `${url}/.well-known/jwks.json`))]),
  ) as Record<PeerName, FakePeer>
  await Promise.all(Object.values(peers).map((peer) => peer.start()))
  const config: GatewayConfig = {
    dataDir,
    listen: { host: '127.0.0.1', port: 0 },
    healthPort: 0,
    databaseUrl: database.urlFor('access'),
    databasePrepare: true,
    peers: Object.fromEntries(peerNames.map((name) => [name, `127.0.0.1:${peers[name].port}`])) as Record<PeerName, string>,
    logLevel: 'silent',
    drainMs: 2000,
  }
  const gateway = stack.use(await startService(config, { logger: createLogger({ name: 'test', level: 'silent' }) }))
  url = `http://127.0.0.1:${gateway.port}`
  const file = join(dataDir, 'admin.key')
  await ensureAdminKey({ db: gateway.db, file })
  const key = (await readFile(file, 'utf8')).trim()
  return { gateway, config, database, dataDir, key, peers, url, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

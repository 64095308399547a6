import { createLogger } from '@berth/telemetry'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  clientOf,
  connectTo,
  hostKey,
  type Limits,
  mintToken,
  type RpcServer,
  type ServiceEntry,
  type SigningKey,
  serve,
  verifier,
} from '../src/index.ts'
import { echoService } from './echo.ts'

export const Echo = echoService()
export const logger = createLogger({ name: 'test', level: 'silent' })

export type Fixture = AsyncDisposable & {
  server: RpcServer
  dataDir: string
  key: SigningKey
  token(claims?: Partial<Parameters<typeof mintToken>[0]>): Promise<string>
  client: ReturnType<typeof clientOf<typeof Echo>>
  clientWith(token: string | undefined): ReturnType<typeof clientOf<typeof Echo>>
}

/** A server of these services on a free port, a data folder of its own, and clients with an admin's token. */
export async function startFixture(services: ServiceEntry[], limits: Partial<Limits> = {}): Promise<Fixture> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-rpc-'))
  const key = await hostKey(dataDir)
  const auth = verifier({ audience: 'echo', dataDir })
  const server = await serve({ name: 'echo', listen: '127.0.0.1:0', services, auth, logger, limits: { drainMs: 500, ...limits } })
  const stack = new AsyncDisposableStack()
  stack.defer(() => rm(dataDir, { recursive: true, force: true }))
  stack.use(server)
  const token: Fixture['token'] = async (claims = {}) => {
    const defaults = { key, audience: 'echo', actor: 'key_test', project: 'default', roles: ['admin'], plane: 'public' as const }
    return (await mintToken({ ...defaults, ...claims })).token
  }
  const clientWith: Fixture['clientWith'] = (identity) =>
    clientOf(Echo, stack.use(connectTo({ target: `127.0.0.1:${server.port}`, identity })))
  const client = clientWith(await token())
  return { server, dataDir, key, token, client, clientWith, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

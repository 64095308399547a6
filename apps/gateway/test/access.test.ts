import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { tableDifferences } from '@berth/db'
import { AccessService } from '@berth/proto/berth/access/v1/access_pb.ts'
import { ImageService } from '@berth/proto/berth/image/v1/image_pb.ts'
import { InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { clientOf, connectTo, hostIdentity, hostKey, verifier } from '@berth/rpc'
import { until } from '@berth/testing'
import { compileCacheOf, testBuild } from '@berth/testing/build'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ensureAdminKey, startService } from '../src/index.ts'
import * as tables from '../src/store/tables.ts'
import { type Fixture, startFixture } from './fixture.ts'

const run = promisify(execFile)

/** A port that was free a moment ago, as was the one a hundred above it most likely. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port < 65_000 ? port : freePort()
}

describe('access', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await startFixture()
  })
  afterAll(() => fixture[Symbol.asyncDispose]())

  it('has the tables that the code believes in', async () => {
    expect(await tableDifferences(fixture.gateway.db, tables)).toEqual([])
  })

  it('says who the caller is, and mints a token that one service takes', async () => {
    using transport = connectTo({ target: `127.0.0.1:${fixture.gateway.port}`, identity: fixture.key })
    const access = clientOf(AccessService, transport)
    expect(await access.getCaller({})).toMatchObject({ project: 'default', roles: ['admin'], serverVersion: expect.stringMatching(/^\d/) })
    const { token, expireTime } = await access.createToken({ audience: 'instance', lifetime: { seconds: 600n, nanos: 0 } })
    expect(Number(expireTime?.seconds) * 1000 - Date.now()).toBeGreaterThan(590_000)
    using direct = connectTo({ target: `127.0.0.1:${fixture.peers.instance.port}`, identity: token })
    const { instance } = await clientOf(InstanceService, direct).getInstance({ id: 'whoami' })
    expect(instance?.labels).toMatchObject({ plane: 'public', roles: 'admin' })
    using wrong = connectTo({ target: `127.0.0.1:${fixture.peers.volume.port}`, identity: token })
    await expect(clientOf(InstanceService, wrong).getInstance({ id: 'x' })).rejects.toMatchObject({ code: 'UNIMPLEMENTED' })
    await expect(access.createToken({ audience: 'moon' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [{ field: 'audience' }],
    })
  })

  it('keeps only the hash of a key, and ends a revoked one', async () => {
    const [row] = await fixture.database.sql('select hash, last_used_time from access.api_keys')
    expect(JSON.stringify(row)).not.toContain(fixture.key)
    const file = join(fixture.dataDir, 'second.key')
    await ensureAdminKey({ db: fixture.gateway.db, file })
    const second = (await readFile(file, 'utf8')).trim()
    using before = connectTo({ target: `127.0.0.1:${fixture.gateway.port}`, identity: second })
    const { actor } = await clientOf(AccessService, before).getCaller({})
    await until('its use is noted', async () => {
      const rows = await fixture.database.sql(`select 1 from access.api_keys where id = '${actor}' and last_used_time is not null`)
      return rows.length > 0
    })
    await fixture.database.sql(`update access.api_keys set revoke_time = now() where id = '${actor}'`)
    await using other = await startService(fixture.config)
    using after = connectTo({ target: `127.0.0.1:${other.port}`, identity: second })
    await expect(clientOf(AccessService, after).getCaller({})).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'BAD_TOKEN' })
    expect((await ensureAdminKey({ db: fixture.gateway.db, file })).made).toBe(true)
    expect((await readFile(file, 'utf8')).trim()).not.toBe(second)
  })

  it('serves the keys of gateway and host, so that one host’s services know another’s', async () => {
    await writeFile(join(fixture.dataDir, 'host.json'), JSON.stringify({ id: 'hst_here' }))
    const { kid } = await hostKey(fixture.dataDir)
    const jwksUrl = `${fixture.url}/.well-known/jwks.json`
    await until('the host’s key is served', async () => ((await (await fetch(jwksUrl)).text()).includes(kid) ? true : undefined))
    const [row] = await fixture.database.sql(`select host from access.signing_keys where kid = '${kid}'`)
    expect(row).toEqual({ host: 'hst_here' })
    const token = await hostIdentity({
      keyFile: join(fixture.dataDir, 'host.key'),
      audience: 'volume',
      actor: 'berth-instance',
      host: 'hst_here',
    })()
    const elsewhere = verifier({ audience: 'volume', dataDir: join(fixture.dataDir, 'elsewhere'), jwksUrl })
    expect(await elsewhere.verify(token)).toMatchObject({ plane: 'host', host: 'hst_here' })
  })

  it('makes an admin key by command, once, for nobody else to read', async () => {
    const file = join(fixture.dataDir, 'made', 'admin.key')
    const main = join(testBuild(), 'gateway.mjs')
    const env = { PATH: '/usr/bin', BERTH_DATA_DIR: fixture.dataDir, BERTH_ACCESS_DATABASE_URL: fixture.config.databaseUrl }
    const make = () => run(process.execPath, [main, '--make-admin-key', file], { env })
    await make()
    const first = await readFile(file, 'utf8')
    await make()
    expect(await readFile(file, 'utf8')).toBe(first)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    using transport = connectTo({ target: `127.0.0.1:${fixture.gateway.port}`, identity: first.trim() })
    expect((await clientOf(AccessService, transport).getCaller({})).roles).toEqual(['admin'])
  })

  it('runs as a process that ends cleanly when it is asked to', async () => {
    const [listen, address] = await Promise.all([freePort(), freePort()])
    const build = testBuild()
    const env = {
      PATH: '/usr/bin',
      ...compileCacheOf(build),
      BERTH_DATA_DIR: fixture.dataDir,
      BERTH_ACCESS_DATABASE_URL: fixture.config.databaseUrl,
      BERTH_LISTEN: `127.0.0.1:${listen}`,
      BERTH_IMAGE_ADDRESS: `127.0.0.1:${address}`,
      BERTH_DATA_DRI: 'x',
    }
    const child = spawn(process.execPath, [join(build, 'gateway.mjs')], { env, stdio: ['ignore', 'inherit', 'pipe'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    let log = ''
    child.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString()
    })
    const ended = once(child, 'exit')
    const ready = async () => (await fetch(`http://127.0.0.1:${listen + 100}/readyz`).catch(() => undefined))?.ok === true
    await until('it is ready', ready, 30_000)
    using transport = connectTo({ target: `127.0.0.1:${listen}`, identity: fixture.key })
    expect((await clientOf(AccessService, transport).getCaller({})).project).toBe('default')
    const image = clientOf(ImageService, transport).listImages({})
    await expect(image).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'SERVICE_UNAVAILABLE', metadata: { service: 'image' } })
    expect(log).toContain('did you mean BERTH_DATA_DIR?')
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })

  it('takes the key of an old data folder into a new database', async () => {
    const file = join(fixture.dataDir, 'old.key')
    await ensureAdminKey({ db: fixture.gateway.db, file })
    const key = await readFile(file, 'utf8')
    await fixture.database.sql('delete from access.api_keys where last_used_time is null')
    expect((await ensureAdminKey({ db: fixture.gateway.db, file })).made).toBe(false)
    expect(await readFile(file, 'utf8')).toBe(key)
    using transport = connectTo({ target: `127.0.0.1:${fixture.gateway.port}`, identity: key.trim() })
    expect((await clientOf(AccessService, transport).getCaller({})).project).toBe('default')
  })

  it('starts without its database, and says what is missing', async () => {
    const databaseUrl = 'postgres://berth_access:x@127.0.0.1:1/none'
    await using lonely = await startService({ ...fixture.config, databaseUrl })
    using transport = connectTo({ target: `127.0.0.1:${lonely.port}`, identity: fixture.key })
    await expect(clientOf(AccessService, transport).getCaller({})).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'DATABASE_UNAVAILABLE',
    })
    const ready = await fetch(`http://127.0.0.1:${lonely.healthPort}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, listening: true, database: false }])
    expect((await (await fetch(`http://127.0.0.1:${lonely.port}/.well-known/jwks.json`)).json()) as object).toMatchObject({
      keys: [{ crv: 'Ed25519' }, { host: 'hst_here' }],
    })
  })

  it('ends streams with UNAVAILABLE when the gateway stops', async () => {
    const gateway = await startService(fixture.config)
    using transport = connectTo({ target: `127.0.0.1:${gateway.port}`, identity: fixture.key })
    const first = Promise.withResolvers<void>()
    const watching = (async () => {
      for await (const _ of clientOf(InstanceService, transport).watchInstances({})) first.resolve()
    })()
    watching.catch(() => undefined)
    await first.promise
    await gateway[Symbol.asyncDispose]()
    await expect(watching).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' })
  })

  it('is not kept from stopping by an HTTP/1.1 connection that waits for a next request', { timeout: 10_000 }, async () => {
    const gateway = await startService({ ...fixture.config, drainMs: 600_000 })
    const socket = connect(gateway.port, '127.0.0.1')
    socket.write('GET /.well-known/jwks.json HTTP/1.1\r\nHost: gateway\r\n\r\n')
    await once(socket, 'data')
    const ended = once(socket, 'close')
    await gateway[Symbol.asyncDispose]()
    await ended
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { createClient } from '@berth/db'
import { home, tempDir } from '@berth/testing'
import { expect, it } from 'vitest'
import { startEmbeddedNats, startEmbeddedPostgres } from '../src/embedded/index.ts'
import { isAlive, type ProcessIdentity, processIdentity } from '../src/index.ts'

it('keeps what was committed over a stop, adopts what runs, and asks for the password', async () => {
  using data = tempDir('embedded')
  const options = { dataDir: data.path, home, tieToParent: true }
  const first = await startEmbeddedPostgres(options)
  const adopted = await startEmbeddedPostgres(options)
  expect(adopted).toMatchObject({ adopted: true, identity: first.identity, url: first.url })
  const client = createClient({ url: first.url, pool: 1 })
  await client.unsafe('create table kept (a int)')
  await client.unsafe('insert into kept values (7)')
  const [row] = await client`select current_setting('fsync') as fsync, current_setting('listen_addresses') as listen`
  expect(row).toEqual({ fsync: 'on', listen: '' })
  await client.end()
  const url = new URL(first.url)
  url.password = 'wrong'
  const stranger = createClient({ url: url.href, pool: 1 })
  await expect(stranger`select 1`).rejects.toMatchObject({ code: '28P01' })
  await stranger.end({ timeout: 1 })
  await first.stop()
  expect(isAlive(first.identity)).toBe(false)
  const second = await startEmbeddedPostgres(options)
  expect(second.adopted).toBe(false)
  const again = createClient({ url: second.url, pool: 1 })
  expect(await again`select a from kept`).toEqual([{ a: 7 }])
  await again.end()
  process.kill(second.identity.pid, 'SIGKILL')
  await second.stop()
  const third = await startEmbeddedPostgres(options)
  const last = createClient({ url: third.url, pool: 1 })
  expect(await last`select a from kept`).toEqual([{ a: 7 }])
  await last.end()
  await third.stop()
  for (const secret of ['postgres/password', 'postgres/log']) expect(statSync(path.join(data.path, secret)).mode & 0o077).toBe(0)
})

it('starts Postgres over the pid file of one that was killed, whoever has that pid by now', async () => {
  using data = tempDir('embedded')
  const options = { dataDir: data.path, home, fast: true, tieToParent: true }
  const first = await startEmbeddedPostgres(options)
  process.kill(first.identity.pid, 'SIGKILL')
  await first.stop()
  const files = ['db/postmaster.pid', 'run/.s.PGSQL.5432.lock'].map((name) => path.join(data.path, 'postgres', name))
  // Of the same user, as what is another's cannot be a postmaster of this folder.
  using stranger = sleeper(statSync(files[0] ?? ''))
  for (const file of files) writeFileSync(file, readFileSync(file, 'utf8').replace(/^.*$/m, String(stranger.pid)))
  const second = await startEmbeddedPostgres(options)
  expect(second).toMatchObject({ adopted: false, url: first.url })
  await second.stop()
  expect(isAlive(stranger)).toBe(true)
})

function sleeper({ uid, gid }: { uid: number; gid: number }): ProcessIdentity & Disposable {
  const child = spawn('sleep', ['600'], { stdio: 'ignore', uid, gid })
  const identity = processIdentity(child.pid ?? 0)
  if (!identity) throw new Error('no process')
  return { ...identity, [Symbol.dispose]: () => void child.kill('SIGKILL') }
}

it('listens on loopback when it is given a port', async () => {
  using data = tempDir('embedded')
  const port = 20_000 + (process.pid % 20_000)
  const server = await startEmbeddedPostgres({ dataDir: data.path, home, port, fast: true, tieToParent: true })
  const { username, password } = new URL(server.url)
  const client = createClient({ url: `postgres://${username}:${password}@127.0.0.1:${port}/postgres`, pool: 1 })
  expect(await client`select 1 as one`).toEqual([{ one: 1 }])
  await client.end()
  await server.stop()
})

it('names the folder that other users cannot pass', async () => {
  using data = tempDir('embedded')
  const inner = path.join(data.path, 'a/b')
  chmodSync(data.path, 0o700)
  const start = startEmbeddedPostgres({ dataDir: inner, home })
  if (process.getuid?.() === 0) await expect(start).rejects.toThrow(data.path)
  else await (await start).stop()
})

it('runs nats-server with JetStream, adopts it whatever its starter noted, and finds its port again', async () => {
  using data = tempDir('embedded')
  const options = { dataDir: data.path, home, tieToParent: true }
  const first = await startEmbeddedNats(options)
  rmSync(path.join(data.path, 'nats/state.json'))
  expect(await startEmbeddedNats(options)).toMatchObject({ adopted: true, identity: first.identity, url: first.url })
  for (const secret of ['nats.conf', 'password', 'state.json']) expect(statSync(path.join(data.path, 'nats', secret)).mode & 0o077).toBe(0)
  process.kill(first.identity.pid, 'SIGKILL')
  await first.stop()
  const second = await startEmbeddedNats(options)
  expect(second).toMatchObject({ adopted: false, url: first.url })
  await second.stop()
  const taken = createServer().listen(Number(new URL(first.url).port), '127.0.0.1')
  await once(taken, 'listening')
  const third = await startEmbeddedNats(options)
  expect(third.url).not.toBe(first.url)
  await third.stop()
  taken.close()
  expect(isAlive(third.identity)).toBe(false)
})

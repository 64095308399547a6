import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '@berth/db'
import { type EmbeddedServer, startEmbeddedNats, startEmbeddedPostgres } from '@berth/host/embedded/index'
import { home } from './home.ts'
import { makeTempDir } from './temp-dir.ts'
import { until } from './wait.ts'

/** A server that a test ends as it likes, apart from the system that uses it. */
export interface OwnServer extends AsyncDisposable {
  readonly url: string
  /** As a crash would. */
  kill(): Promise<void>
  stop(): Promise<void>
  start(): Promise<void>
}

export interface OwnPostgres extends OwnServer {
  /** Runs SQL as superuser, in `database` (default postgres). */
  sql(text: string, database?: string): Promise<Record<string, unknown>[]>
}

export interface OwnNats extends OwnServer {
  /** Forgets everything that was stored; while it is stopped. */
  wipe(): void
}

/** A Postgres of the test's own. What it has committed survives a kill. */
export async function ownPostgres(): Promise<OwnPostgres> {
  const { options, server } = await own('pg', (given) => startEmbeddedPostgres({ ...given, fast: true }))
  const made: OwnPostgres = {
    ...server,
    get url() {
      return server.url
    },
    async sql(text, database) {
      const url = new URL(server.url)
      if (database !== undefined) url.pathname = `/${database}`
      const client = createClient({ url: url.href, pool: 1, name: 'berth-test', prepare: false })
      try {
        return await client.unsafe(text)
      } finally {
        await client.end({ timeout: 5 })
      }
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
      rmSync(options.dataDir, { recursive: true, force: true })
    },
  }
  // Handed to the kernel at the commit: a kill takes nothing back, only a power cut would.
  await made.sql('alter role all set synchronous_commit = on')
  return made
}

/** A nats-server of the test's own; it keeps its port. */
export async function ownNats(): Promise<OwnNats> {
  const { options, server } = await own('nats', startEmbeddedNats)
  return {
    ...server,
    get url() {
      return server.url
    },
    wipe: () => rmSync(path.join(options.dataDir, 'nats/store'), { recursive: true }),
    async [Symbol.asyncDispose]() {
      await server.stop()
      rmSync(options.dataDir, { recursive: true, force: true })
    },
  }
}

type Given = { dataDir: string; home: string; tieToParent: boolean }

async function own(label: string, launch: (given: Given) => Promise<EmbeddedServer>) {
  const options = { dataDir: makeTempDir(label), home, tieToParent: true }
  let running = await launch(options)
  const server = {
    url: running.url,
    async kill() {
      process.kill(running.identity.pid, 'SIGKILL')
      await running.stop()
    },
    stop: () => running.stop(),
    async start() {
      // What a killed server leaves may need a moment to be gone.
      running = await until('the server starts again', () => launch(options).catch(() => undefined))
    },
  }
  return { options, server }
}

/** Stands before a Postgres on a Unix socket and passes on what it is told, when it wants. */
export interface SlowPostgres extends AsyncDisposable {
  readonly url: string
  /** Milliseconds that every answer takes from now on; 0 is none. */
  delayMs: number
  /** Closes all connections in order, as a server or a pooler that ends does. */
  closeAll(): void
}

/** A door to the server at `url` whose answers come late. */
export async function slowPostgres(url: string): Promise<SlowPostgres> {
  const folder = mkdtempSync('/var/tmp/berth-slow-')
  const real = path.join(new URL(url).searchParams.get('host') ?? '', '.s.PGSQL.5432')
  const sockets = new Set<net.Socket>()
  const server = net.createServer((client) => {
    const upstream = net.connect(real)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    let last = Promise.resolve()
    upstream.on('data', (chunk) => {
      const due = performance.now() + door.delayMs
      last = last.then(async () => {
        if (performance.now() < due) await delay(due - performance.now())
        client.write(chunk)
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(path.join(folder, '.s.PGSQL.5432'), resolve))
  const through = new URL(url)
  through.searchParams.set('host', folder)
  const door: SlowPostgres = {
    url: through.href,
    delayMs: 0,
    closeAll() {
      for (const socket of sockets) socket.end()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return door
}

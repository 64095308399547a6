import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ProcessIdentity, processIdentity } from '../process/identity.ts'
import { type Account, impassableParents, ownFolder, serverAccount } from './account.ts'
import { installPostgres } from './postgres-binaries.ts'
import { readIfThere, spawnServer, stopServer, untilReady } from './server-process.ts'

export type EmbeddedPostgresOptions = {
  /** The data folder of the system; everything is below its `postgres`. Every parent must be passable for others. */
  dataDir: string
  /** Root of the clone, which holds node_modules. */
  home: string
  /** Loopback TCP port; default none, the Unix socket only. */
  port?: number
  /** Gives up durability for speed: tests only. Default false. */
  fast?: boolean
  /** End with this process: tests only. Default false: it outlives its starter and is adopted by the next. */
  tieToParent?: boolean
}

export type EmbeddedServer = {
  /** How clients connect, password included. */
  url: string
  identity: ProcessIdentity
  /** Whether it was running already. */
  adopted: boolean
  /** Ends it in order: open transactions are rolled back, everything else is on disk. */
  stop(): Promise<void>
}

const superuser = 'berth'
const socketPort = 5432
const longestSocketPath = 107
const leftoversMs = 5_000

/** Runs PostgreSQL 18 from the npm package: SCRAM, a Unix socket, fsync on. Adopts the server when it is running already. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedServer> {
  const root = path.join(options.dataDir, 'postgres')
  const [db, run, logFile] = [path.join(root, 'db'), path.join(root, 'run'), path.join(root, 'log')]
  const account = serverAccount(['postgres', 'nobody'])
  check(root, run, account)
  ownFolder(root, 0o755, undefined)
  const url = urlOf(ensurePassword(path.join(root, 'password')), run, options.port)
  const running = runningServer(db)
  if (running) return { ...server(url, await ready(db, running, logFile)), adopted: true }
  const native = installPostgres(options.home, path.join(root, 'native'))
  ownFolder(run, 0o755, account)
  if (!existsSync(db)) initialise({ native, db, root, account, fast: options.fast ?? false })
  const port = String(options.port ?? socketPort)
  const locks = [path.join(db, 'postmaster.pid'), path.join(run, `.s.PGSQL.${port}.lock`)]
  const start = () =>
    ready(
      db,
      spawnServer({
        name: 'Postgres',
        argv: [path.join(native, 'bin/postgres'), '-D', db, '-k', run, '-p', port, ...settings(options)],
        account,
        logFile,
        tieToParent: options.tieToParent ?? false,
      }),
      logFile,
    )
  return { ...server(url, await (takeLockFiles(locks) ? insist(start) : start())), adopted: false }
}

/**
 * A postmaster that was killed leaves its pid in its data folder and beside its socket, and the next one refuses to start while that pid is anything: a
 * zombie that init has not reaped, or a process that has got the pid since. It goes on when the pid is its parent's (CreateLockFile in
 * src/backend/utils/init/miscinit.c), and still makes sure that nobody is attached to the dead one's memory.
 *
 * @returns whether there was one
 */
function takeLockFiles(files: string[]): boolean {
  const found = files.filter((file) => existsSync(file))
  for (const file of found) writeFileSync(file, (readIfThere(file) ?? '').replace(/^.*$/m, String(process.pid)))
  return found.length > 0
}

/** Processes of a postmaster that was killed need a moment to end. @throws what `start` throws once that is over */
async function insist<T>(start: () => Promise<T>): Promise<T> {
  const end = performance.now() + leftoversMs
  for (;;) {
    try {
      return await start()
    } catch (error) {
      if (performance.now() > end) throw error
      await delay(100)
    }
  }
}

function settings({ port, fast = false, tieToParent = false }: EmbeddedPostgresOptions): string[] {
  const durable = fast ? ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'] : []
  const pairs = [`listen_addresses=${port === undefined ? '' : '127.0.0.1'}`, `max_connections=${tieToParent ? 400 : 200}`, ...durable]
  return pairs.flatMap((pair) => ['-c', pair])
}

function check(root: string, run: string, account: Account): void {
  const socket = path.join(run, `.s.PGSQL.${socketPort}`)
  if (Buffer.byteLength(socket) > longestSocketPath)
    throw new Error(`${socket} is longer than a socket's path may be: choose a shorter data folder`)
  const blocked = impassableParents(root, account)
  if (blocked.length > 0) throw new Error(`other users cannot pass ${blocked.join(', ')}: chmod o+x, or choose another data folder`)
}

/** The superuser's password, made once. */
function ensurePassword(file: string): string {
  const known = readIfThere(file)
  if (known) return known
  const made = randomBytes(24).toString('base64url')
  writeFileSync(`${file}.tmp`, made, { mode: 0o600, flush: true })
  renameSync(`${file}.tmp`, file)
  return made
}

function urlOf(password: string, run: string, port = socketPort): string {
  return `postgres://${superuser}:${password}@localhost:${port}/postgres?host=${encodeURIComponent(run)}`
}

/** The postmaster that works in this folder, by its own pid file; a pid that came to mean another process is told by its working folder. */
function runningServer(db: string): ProcessIdentity | undefined {
  const pid = Number(readIfThere(path.join(db, 'postmaster.pid'))?.split('\n')[0])
  const identity = Number.isSafeInteger(pid) && pid > 0 ? processIdentity(pid) : undefined
  return identity && workingFolder(pid) === db ? identity : undefined
}

function workingFolder(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

function ready(db: string, identity: ProcessIdentity, logFile: string): Promise<ProcessIdentity> {
  return untilReady('Postgres', identity, logFile, () => {
    const lines = readIfThere(path.join(db, 'postmaster.pid'))?.split('\n') ?? []
    return Number(lines[0]) === identity.pid && lines[7]?.trim() === 'ready' ? identity : undefined
  })
}

function server(url: string, identity: ProcessIdentity): Omit<EmbeddedServer, 'adopted'> {
  return { url, identity, stop: () => stopServer(identity, 'SIGINT', 30_000) }
}

type Initialise = { native: string; db: string; root: string; account: Account; fast: boolean }

/** Made beside and renamed, so that a crash half way leaves nothing that looks like a database. */
function initialise({ native, db, root, account, fast }: Initialise): void {
  const fresh = `${db}.new`
  const passwordFile = path.join(root, 'password.init')
  rmSync(fresh, { recursive: true, force: true })
  ownFolder(fresh, 0o700, account)
  try {
    writeFileSync(passwordFile, readIfThere(path.join(root, 'password')) ?? '', { mode: 0o600 })
    if (account) chownSync(passwordFile, account.uid, account.gid)
    const how = ['-A', 'scram-sha-256', '-U', superuser, '-E', 'UTF8', '--locale=C', '--no-instructions', ...(fast ? ['--no-sync'] : [])]
    const argv = ['-D', fresh, `--pwfile=${passwordFile}`, ...how]
    const made = spawnSync(path.join(native, 'bin/initdb'), argv, { ...account, cwd: '/', env: { PATH: process.env['PATH'], LC_ALL: 'C' } })
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr?.toString() ?? made.error?.message}`)
  } finally {
    rmSync(passwordFile, { force: true })
  }
  renameSync(fresh, db)
}

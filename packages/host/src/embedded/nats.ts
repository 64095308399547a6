import { randomBytes } from 'node:crypto'
import { accessSync, constants, copyFileSync, globSync, renameSync, rmSync, statSync, writeFileSync, chmodSync, chownSync } from 'node:fs'
import path from 'node:path'
import { type ProcessIdentity, processIdentity } from '../process/identity.ts'
import { type Account, impassableParents, ownFolder, serverAccount } from './account.ts'
import type { EmbeddedServer } from './postgres.ts'
import { readIfThere, spawnServer, stopServer, untilReady } from './server-process.ts'

export type EmbeddedNatsOptions = {
  /** The data folder of the system; everything is below its `nats`. */
  dataDir: string
  /** Root of the clone. */
  home: string
  /** `BERTH_NATS_SERVER`: the binary to run; default the one that set-up unpacked below `<home>/.berth/debian`, else one on the PATH. */
  binary?: string
  /** Loopback port; default any free one. */
  port?: number
  /** End with this process: tests only. */
  tieToParent?: boolean
}

const anyPort = -1

/** Kept in `state.json`, for whoever wants to know where it listens. */
type State = { identity: ProcessIdentity; url: string }

/** Runs nats-server with JetStream on loopback. What it stores is notice only: Postgres has the truth. Adopts the server when it is running already. */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedServer> {
  const root = path.join(options.dataDir, 'nats')
  const account = serverAccount(['nats', 'nobody'])
  const blocked = impassableParents(root, account)
  if (blocked.length > 0) throw new Error(`other users cannot pass ${blocked.join(', ')}: chmod o+x, or choose another data folder`)
  ownFolder(root, 0o755, undefined)
  const files = filesOf(root)
  const running = await runningServer(files)
  const state = running ?? (await start(files, account, options))
  write(files.state, JSON.stringify(state))
  return { ...state, stop: () => stopServer(state.identity, 'SIGTERM', 10_000), adopted: running !== undefined }
}

type Files = Record<'run' | 'pid' | 'log' | 'config' | 'program' | 'store' | 'state' | 'password', string>

function filesOf(root: string): Files {
  const at = (name: string) => path.join(root, name)
  const own = { pid: at('run/pid'), config: at('nats.conf'), program: at('nats-server'), state: at('state.json') }
  return { ...own, run: at('run'), log: at('log'), store: at('store'), password: at('password') }
}

/** The server that works in this folder, by its own pid file; a pid that came to mean another process is told by its command line. */
async function runningServer(files: Files): Promise<State | undefined> {
  const pid = Number(readIfThere(files.pid))
  const identity = Number.isSafeInteger(pid) && pid > 0 ? processIdentity(pid) : undefined
  const words = readIfThere(`/proc/${pid}/cmdline`)?.split('\0') ?? []
  return identity && words.includes(files.config) ? ready(identity, files) : undefined
}

async function start(files: Files, account: Account, options: EmbeddedNatsOptions): Promise<State> {
  ownFolder(files.store, 0o700, account)
  installBinary(findNatsServer(options.home, options.binary), files.program)
  write(files.password, readIfThere(files.password) ?? randomBytes(24).toString('base64url'))
  // Clients that know the port of before find it again, unless another has taken it meanwhile.
  const before = options.port ?? lastPort(files)
  try {
    return await spawnOn(before ?? anyPort, files, account, options)
  } catch (error) {
    if (options.port !== undefined || before === undefined) throw error
    return spawnOn(anyPort, files, account, options)
  }
}

function spawnOn(port: number, files: Files, account: Account, { tieToParent = false }: EmbeddedNatsOptions): Promise<State> {
  rmSync(files.run, { recursive: true, force: true })
  ownFolder(files.run, 0o700, account)
  write(files.config, configuration(port, files), account)
  const argv = [files.program, '-c', files.config] as const
  return ready(spawnServer({ name: 'nats-server', argv, account, logFile: files.log, tieToParent }), files)
}

async function ready(identity: ProcessIdentity, files: Files): Promise<State> {
  const portsFile = path.join(files.run, `nats-server_${identity.pid}.ports`)
  const address = await untilReady('nats-server', identity, files.log, () => addressIn(portsFile))
  return { identity, url: `nats://berth:${readIfThere(files.password)}@${address}` }
}

function lastPort(files: Files): number | undefined {
  const text = readIfThere(files.state)
  return text === undefined ? undefined : Number(new URL((JSON.parse(text) as State).url).port)
}

function configuration(port: number, { password, store, run, pid }: Files): string {
  return `listen: "127.0.0.1:${port}"
server_name: berth
ports_file_dir: "${run}"
pid_file: "${pid}"
max_payload: 1MB
jetstream { store_dir: "${store}", max_memory_store: 64MB, max_file_store: 1GB }
authorization { user: berth, password: "${readIfThere(password)}" }
`
}

/** The nats-server to run. @throws naming where was looked */
export function findNatsServer(home: string, given?: string): string {
  if (given) return given
  const unpacked = globSync(path.join(home, '.berth/debian/**/nats-server')).filter(runnable)
  const onPath = (process.env['PATH'] ?? '').split(':').map((folder) => path.join(folder, 'nats-server'))
  const found = [...unpacked, ...onPath].find(runnable)
  if (found === undefined) throw new Error('no nats-server: set BERTH_NATS_SERVER or NATS_URL, or run npm run setup')
  return found
}

function runnable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** A copy that another user can run; replaced by rename, since the old one may be running. */
function installBinary(source: string, target: string): void {
  copyFileSync(source, `${target}.new`)
  chmodSync(`${target}.new`, 0o755)
  renameSync(`${target}.new`, target)
}

function addressIn(portsFile: string): string | undefined {
  const text = readIfThere(portsFile)
  if (!text?.includes('}')) return undefined
  const { nats } = JSON.parse(text) as { nats?: string[] }
  return nats?.[0] === undefined ? undefined : new URL(nats[0]).host
}

function write(file: string, text: string, account?: Account): void {
  writeFileSync(`${file}.tmp`, text, { mode: 0o600 })
  if (account) chownSync(`${file}.tmp`, account.uid, account.gid)
  renameSync(`${file}.tmp`, file)
}

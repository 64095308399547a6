import { randomBytes } from 'node:crypto'
import { accessSync, constants, copyFileSync, globSync, renameSync, rmSync, statSync, writeFileSync, chmodSync, chownSync } from 'node:fs'
import path from 'node:path'
import { isAlive, type ProcessIdentity } from '../process/identity.ts'
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

type State = { identity: ProcessIdentity; url: string }

/** Runs nats-server with JetStream on loopback, every message synced. Adopts the server when it is running already. */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedServer> {
  const root = path.join(options.dataDir, 'nats')
  const account = serverAccount(['nats', 'nobody'])
  const blocked = impassableParents(root, account)
  if (blocked.length > 0) throw new Error(`other users cannot pass ${blocked.join(', ')}: chmod o+x, or choose another data folder`)
  ownFolder(root, 0o755, undefined)
  const stateFile = path.join(root, 'state.json')
  const running = readState(stateFile)
  if (running && isAlive(running.identity)) return { ...server(running), adopted: true }
  const state = await start(root, account, options)
  write(stateFile, JSON.stringify(state))
  return { ...server(state), adopted: false }
}

async function start(
  root: string,
  account: Account,
  { home, binary, port = -1, tieToParent = false }: EmbeddedNatsOptions,
): Promise<State> {
  const [run, logFile, config, program] = ['run', 'log', 'nats.conf', 'nats-server'].map((name) => path.join(root, name)) as [
    string,
    string,
    string,
    string,
  ]
  ownFolder(path.join(root, 'store'), 0o700, account)
  rmSync(run, { recursive: true, force: true })
  ownFolder(run, 0o700, account)
  installBinary(findNatsServer(home, binary), program)
  const password = readIfThere(path.join(root, 'password')) ?? randomBytes(24).toString('base64url')
  write(path.join(root, 'password'), password)
  write(config, configuration(port, password, path.join(root, 'store'), run), account)
  const identity = spawnServer({ name: 'nats-server', argv: [program, '-c', config], account, logFile, tieToParent })
  const address = await untilReady('nats-server', identity, logFile, () => addressIn(path.join(run, `nats-server_${identity.pid}.ports`)))
  return { identity, url: `nats://berth:${password}@${address}` }
}

function configuration(port: number, password: string, store: string, run: string): string {
  return `listen: "127.0.0.1:${port}"
server_name: berth
ports_file_dir: "${run}"
max_payload: 1MB
jetstream { store_dir: "${store}", max_memory_store: 64MB, max_file_store: 1GB }
authorization { user: berth, password: "${password}" }
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

function readState(file: string): State | undefined {
  const text = readIfThere(file)
  return text === undefined ? undefined : (JSON.parse(text) as State)
}

function write(file: string, text: string, account?: Account): void {
  writeFileSync(`${file}.tmp`, text, { mode: 0o600 })
  if (account) chownSync(`${file}.tmp`, account.uid, account.gid)
  renameSync(`${file}.tmp`, file)
}

function server(state: State): Omit<EmbeddedServer, 'adopted'> {
  return { ...state, stop: () => stopServer(state.identity, 'SIGTERM', 10_000) }
}

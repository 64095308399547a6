import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { type Api, openApi } from '@berth/cli/api'
import { databaseVariable, roleOf, urlAs } from '@berth/db'
import { compileCacheOf, testBuild } from '@berth/testing/build'
import { own, sweepAbandoned } from './abandoned.ts'
import { logTails, showLogsOf } from './logs.ts'

const HOME = path.resolve(import.meta.dirname, '../..')
const START_TIMEOUT_MS = 120_000

export interface SystemOptions {
  /** Added to every port, so that two systems share a network namespace. Default 0. */
  readonly portOffset?: number
  /** More environment for supervisor and services, e.g. `BERTH_HYPERVISOR`. */
  readonly env?: NodeJS.ProcessEnv
  /** Run the bundles that `npm start` runs instead of those for tests, which know failpoints. Default false. */
  readonly bundled?: boolean
  /** Makes the empty data folder what the test needs; what it answers with undoes that when all has ended. */
  readonly prepare?: (dataDir: string) => () => void
}

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A whole Berth of the test's own: data and run folders, Postgres, NATS, six processes. */
export interface TestSystem extends AsyncDisposable {
  readonly dataDir: string
  readonly runDir: string
  /** Folder of the bundles it runs, one a process. */
  readonly build: string
  readonly port: number
  readonly adminKey: string
  readonly api: Api
  /** Owner's URL of its Postgres. */
  readonly databaseUrl: string
  readonly natsUrl: string
  /** What a second host on the same database is given: the URL of each service's role. */
  roleUrls(): NodeJS.ProcessEnv
  /** The environment its CLI runs in. */
  readonly env: NodeJS.ProcessEnv
  /** Runs the CLI as a user would. */
  cli(...words: string[]): Promise<CliResult>
  /** Pid of one of its processes, by the name of its service. */
  pid(service: string): number
  /** Ends supervisor and services as Ctrl-C does; VMs go on. */
  stop(): Promise<void>
  /** Starts them again on the same folders. */
  start(): Promise<void>
}

/** Starts a system in the namespace the test runs in; disposing takes its VMs down, ends it and removes its folders. */
export async function startTestSystem(options: SystemOptions = {}): Promise<TestSystem> {
  sweepAbandoned('/var/tmp')
  const root = mkdtempSync('/var/tmp/berth-test-')
  own(root)
  const [dataDir, runDir] = [path.join(root, 'data'), path.join(root, 'run')]
  mkdirSync(dataDir)
  allowPassing(root)
  const undoPreparing = options.prepare?.(dataDir)
  const keepQuiet = showLogsOf(dataDir)
  const port = 7000 + (options.portOffset ?? 0)
  const build = options.bundled ? path.join(HOME, 'dist') : testBuild()
  const env: NodeJS.ProcessEnv = {
    ...inherited(),
    ...compileCacheOf(build),
    BERTH_DATA_DIR: dataDir,
    BERTH_RUN_DIR: runDir,
    BERTH_CONFIG: path.join(root, 'config.json'),
    BERTH_PORT_OFFSET: String(options.portOffset ?? 0),
    BERTH_HOME: HOME,
    ...options.env,
  }
  let supervisor: ChildProcess | undefined
  let api: Api | undefined

  const system: TestSystem = {
    dataDir,
    runDir,
    build,
    port,
    env,
    get adminKey() {
      return readFileSync(path.join(dataDir, 'admin.key'), 'utf8').trim()
    },
    get api() {
      api ??= openApi({ endpoint: `127.0.0.1:${port}`, token: this.adminKey })
      return api
    },
    get databaseUrl() {
      return ownerUrl(dataDir, options.env?.['DATABASE_URL'])
    },
    get natsUrl() {
      return (JSON.parse(readFileSync(path.join(dataDir, 'nats/state.json'), 'utf8')) as { url: string }).url
    },
    roleUrls: () => givenRoleUrls(options.env) ?? roleUrls(system.databaseUrl, dataDir),
    cli: (...words) => run([path.join(build, 'cli.mjs'), ...words], env),
    pid: (service) => pidOf(service, dataDir),
    async start() {
      supervisor = spawn(process.execPath, [path.join(build, 'supervisor.mjs'), '--bare'], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      })
      await untilUp(supervisor, dataDir)
    },
    async stop() {
      if (!supervisor || supervisor.exitCode !== null || supervisor.signalCode !== null) return
      const ended = once(supervisor, 'exit')
      supervisor.kill('SIGTERM')
      await ended
    },
    async [Symbol.asyncDispose]() {
      api?.close()
      try {
        const { code, stderr } = await this.cli('down', '--all')
        if (code !== 0) throw new Error(`berth down --all failed: ${stderr}`)
      } finally {
        await this.stop()
        keepQuiet()
        undoPreparing?.()
        rmSync(root, { recursive: true, force: true })
      }
    },
  }
  try {
    await system.start()
  } catch (error) {
    await system.stop()
    keepQuiet()
    undoPreparing?.()
    throw error
  }
  return system
}

/** Nothing that points at a Berth in earnest use reaches a test's system. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(BERTH_|VITEST|NODE_ENV$|DATABASE_URL$|NATS_URL$)/.test(name)),
  )
}

function allowPassing(folder: string): void {
  for (let at = folder; at !== '/var/tmp'; at = path.dirname(at)) spawnSync('chmod', ['0755', at])
}

async function untilUp(supervisor: ChildProcess, dataDir: string): Promise<void> {
  let said = ''
  const up = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not up in time\n${said}\n${logTails(dataDir)}`)), START_TIMEOUT_MS)
    const listen = (chunk: Buffer) => {
      said += chunk
      if (said.includes('berth is up at')) resolve()
    }
    supervisor.stderr?.on('data', listen)
    supervisor.stdout?.on('data', listen)
    supervisor.once('exit', (code) => reject(new Error(`the supervisor ended with ${code}\n${said}\n${logTails(dataDir)}`)))
    void Promise.resolve().then(() => timer.unref())
  })
  await up
}

export async function run(argv: readonly string[], env: NodeJS.ProcessEnv, input?: string): Promise<CliResult> {
  const child = spawn(process.execPath, argv, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? -1, stdout, stderr }
}

/** A service's process among all that run, told from other systems' by its data folder. */
function pidOf(service: string, dataDir: string): number {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    if (readProc(name, 'cmdline').startsWith(`berth-${service}`) && readProc(name, 'environ').includes(`BERTH_DATA_DIR=${dataDir}\0`))
      return Number(name)
  }
  throw new Error(`no process berth-${service} on ${dataDir}`)
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

function givenRoleUrls(env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv | undefined {
  const given = Object.entries(env).filter(([name]) => /^BERTH_\w+_DATABASE_URL$/.test(name))
  return given.length > 0 ? Object.fromEntries(given) : undefined
}

function roleUrls(url: string, dataDir: string): NodeJS.ProcessEnv {
  const passwords = JSON.parse(readFileSync(path.join(dataDir, 'database-roles.json'), 'utf8')) as Record<string, string>
  const entries = Object.entries(passwords).map(([schema, password]) => [databaseVariable(schema), urlAs(url, roleOf(schema), password)])
  return Object.fromEntries(entries) as NodeJS.ProcessEnv
}

function ownerUrl(dataDir: string, given: string | undefined): string {
  if (given) return given
  const root = path.join(dataDir, 'postgres')
  const password = readFileSync(path.join(root, 'password'), 'utf8').trim()
  return `postgres://berth:${password}@localhost:5432/postgres?host=${encodeURIComponent(path.join(root, 'run'))}`
}

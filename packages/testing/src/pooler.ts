import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { serverAccount } from '@berth/host/embedded/index'
import { home } from './home.ts'
import { makeTempDir } from './temp-dir.ts'
import { until } from './wait.ts'

const SOCKET = '.s.PGSQL.5432'

export interface TestPooler extends AsyncDisposable {
  /** The same role and database as `url`, through the pooler. */
  through(url: string): string
}

/**
 * PgBouncer in transaction mode before the server at `url`: every transaction of a client may meet another server connection.
 *
 * @param users password by role, for those that come through it
 */
export async function transactionPooler(url: string, users: Readonly<Record<string, string>>): Promise<TestPooler> {
  const folder = makeTempDir('pooler')
  const run = path.join(folder, 'run')
  const account = serverAccount(['nobody'])
  mkdirSync(run)
  for (const name of ['pgbouncer', ...librariesOf()]) copyFileSync(sourceOf(name), path.join(folder, name))
  chmodSync(path.join(folder, 'pgbouncer'), 0o755)
  const config = path.join(folder, 'pgbouncer.ini')
  writeFileSync(
    path.join(folder, 'users'),
    Object.entries(users)
      .map(([name, password]) => `"${name}" "${password}"\n`)
      .join(''),
  )
  writeFileSync(config, configuration(new URL(url).searchParams.get('host') ?? '', folder, run))
  if (account) for (const file of [run, path.join(folder, 'users'), config]) chownSync(file, account.uid, account.gid)
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', path.join(folder, 'pgbouncer'), '-q', config], {
    ...account,
    cwd: '/',
    env: { PATH: process.env['PATH'], LD_LIBRARY_PATH: folder },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await until('the pooler listens', () => existsSync(path.join(run, SOCKET)))
  return {
    through(given) {
      const there = new URL(given)
      there.searchParams.set('host', run)
      return there.href
    },
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function configuration(server: string, folder: string, run: string): string {
  return `[databases]
* = host=${server} port=5432
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = ${run}
auth_type = scram-sha-256
auth_file = ${path.join(folder, 'users')}
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`
}

const LIBRARIES = path.join(home, '.berth/debian/usr/lib/x86_64-linux-gnu')

function librariesOf(): string[] {
  return readdirSync(LIBRARIES).filter((name) => /^lib(cares|event)[-.].*so\.\d+$/.test(name))
}

function sourceOf(name: string): string {
  return name === 'pgbouncer' ? path.join(home, '.berth/bin/pgbouncer') : path.join(LIBRARIES, name)
}

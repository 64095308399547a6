import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, type ProcessIdentity, processIdentity } from '../process/identity.ts'
import { killProcess } from '../process/kill.ts'
import type { Account } from './account.ts'

const keptLogBytes = 10 * 1024 * 1024

export type ServerSpawn = {
  name: string
  argv: readonly [string, ...string[]]
  account: Account
  /** Its output goes there; kept up to 10 MiB and one older file. */
  logFile: string
  /** End with this process, whatever kills it: for tests. */
  tieToParent: boolean
}

/** Starts a server in a session of its own, so that a Ctrl-C meant for us does not reach it, and with nothing of our environment. */
export function spawnServer({ name, argv, account, logFile, tieToParent }: ServerSpawn): ProcessIdentity {
  if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > keptLogBytes) renameSync(logFile, `${logFile}.1`)
  const log = openSync(logFile, 'a', 0o600)
  const [command, ...args] = tieToParent ? ['setpriv', '--pdeathsig', 'INT', ...argv] : argv
  const child = spawn(command ?? '', args, {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', log, log],
    detached: true,
    ...account,
  })
  closeSync(log)
  child.on('error', () => {})
  child.unref()
  const identity = child.pid === undefined ? undefined : processIdentity(child.pid)
  if (identity === undefined) throw new Error(`${name} did not start: ${lastLines(logFile)}`)
  return identity
}

/** Waits until `ready` answers something. @throws when the process ends first or 30 s pass; the message has the end of its log */
export async function untilReady<T>(name: string, identity: ProcessIdentity, logFile: string, ready: () => T | undefined): Promise<T> {
  const end = performance.now() + 30_000
  for (;;) {
    const found = ready()
    if (found !== undefined) return found
    if (!isAlive(identity)) throw new Error(`${name} ended while starting: ${lastLines(logFile)}`)
    if (performance.now() > end) throw new Error(`${name} is not ready after 30 s: ${lastLines(logFile)}`)
    await delay(5)
  }
}

/** Asks a server to end and waits for it; kills it when it has not within `graceMs`. */
export async function stopServer(identity: ProcessIdentity, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  killProcess(identity, signal)
  const end = performance.now() + graceMs
  while (isAlive(identity)) {
    if (performance.now() > end) killProcess(identity, 'SIGKILL')
    await delay(5)
  }
}

/** A file's text; undefined while there is none. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function lastLines(logFile: string): string {
  return (readIfThere(logFile) ?? '').trimEnd().split('\n').slice(-8).join('\n')
}

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isAlive, killProcess, type ProcessIdentity, processIdentity } from '@berth/host'
import { commandOf, pids, processesOf } from './vmm.ts'

const OWNER = 'owner.json'
const OURS = /^(berth-.+|qemu-system-x86_64|dnsmasq|postgres|nats-server)$/

/** Notes in a test's folder whose it is, so that a later run can tell that nobody needs it any more. */
export function own(folder: string): void {
  const file = path.join(folder, OWNER)
  writeFileSync(`${file}.part`, JSON.stringify(processIdentity(process.pid)))
  renameSync(`${file}.part`, file)
}

/**
 * Ends what test runs that were killed have left: the processes that work below their folders, what is mounted there, and the folders. What has a living owner, or none on
 * record, stays.
 *
 * @param parent where tests make their folders
 */
export function sweepAbandoned(parent: string): void {
  const folders = readdirSync(parent).filter((name) => name.startsWith('berth-test-'))
  for (const folder of folders.map((name) => path.join(parent, name))) {
    const file = path.join(folder, OWNER)
    if (!existsSync(file) || isAlive(JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity)) continue
    endAll(folder)
    for (const mounted of mountsBelow(folder)) execFileSync('umount', ['--lazy', mounted])
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A supervisor starts what is ended again, until it is ended itself. @throws Error when something outlives SIGKILL */
function endAll(folder: string): void {
  const until = performance.now() + 5_000
  for (let left = workersOf(folder); left.length > 0; left = workersOf(folder)) {
    for (const worker of left) killProcess(worker, 'SIGKILL')
    if (performance.now() > until) throw new Error(`${left.map(({ pid }) => pid).join(', ')} below ${folder} cannot be ended`)
  }
}

/** File systems that are mounted below a folder, the innermost first. */
function mountsBelow(folder: string): string[] {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
  return points.filter((point) => point.startsWith(`${folder}/`)).toReversed()
}

/** Services and their helpers by their data folder; VMs and servers, which have no such variable, by program and arguments. Nobody who only looks on. */
function workersOf(folder: string): ProcessIdentity[] {
  const serves = (pid: number): boolean => {
    const [program = '', ...words] = commandOf(pid)
    return OURS.test(path.basename(program)) && [program, ...words].some((word) => word.includes(`${folder}/`))
  }
  const found = new Set([...processesOf(path.join(folder, 'data')), ...pids().filter(serves)])
  return [...found].map((pid) => processIdentity(pid)).filter((one) => one !== undefined)
}

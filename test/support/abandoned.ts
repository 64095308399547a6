import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isAlive, type ProcessIdentity, processIdentity } from '@berth/host'

const OWNER = 'owner.json'

/** Notes in a test's folder whose it is, so that a later run can tell that nobody needs it any more. */
export function own(folder: string): void {
  const file = path.join(folder, OWNER)
  writeFileSync(`${file}.part`, JSON.stringify(processIdentity(process.pid)))
  renameSync(`${file}.part`, file)
}

/**
 * Ends what test runs that were killed have left: the processes that work below their folders, and the folders. What has a living owner, or none on
 * record, stays.
 *
 * @param parent where tests make their folders
 */
export function sweepAbandoned(parent: string): void {
  const folders = readdirSync(parent).filter((name) => name.startsWith('berth-test-'))
  for (const folder of folders.map((name) => path.join(parent, name))) {
    const file = path.join(folder, OWNER)
    if (!existsSync(file) || isAlive(JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity)) continue
    // A supervisor starts what is ended again, until it is ended itself.
    for (let pids = below(folder); pids.length > 0; pids = below(folder)) for (const pid of pids) end(pid)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Pids of processes that name something below the folder in their arguments or their environment; one that has ended names nothing. */
function below(folder: string): number[] {
  const names = (pid: string, file: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(`${folder}/`)
    } catch {
      return false
    }
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  return pids.filter((pid) => names(pid, 'cmdline') || names(pid, 'environ')).map(Number)
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

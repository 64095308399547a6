import { readFileSync } from 'node:fs'

/** A process that cannot be mistaken for a later one with the same pid. */
export type ProcessIdentity = {
  pid: number
  /** Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22). */
  startTicks: number
}

/** Identity of a living process. A zombie is dead: some init processes reap late. Undefined when there is none. */
export function processIdentity(pid: number, procDir = '/proc'): ProcessIdentity | undefined {
  const stat = readStat(pid, procDir)
  return stat && stat.state !== 'Z' && stat.state !== 'X' ? { pid, startTicks: stat.startTicks } : undefined
}

/** Whether exactly this process still lives. */
export function isAlive(identity: ProcessIdentity, procDir = '/proc'): boolean {
  return processIdentity(identity.pid, procDir)?.startTicks === identity.startTicks
}

function readStat(pid: number, procDir: string): { state: string; startTicks: number } | undefined {
  let text: string
  try {
    text = readFileSync(`${procDir}/${pid}/stat`, 'utf8')
  } catch {
    // ENOENT, or ESRCH when it ended between open and read.
    return undefined
  }
  // The name in parentheses may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const startTicks = Number(fields[19])
  return Number.isSafeInteger(startTicks) ? { state: fields[0] ?? '', startTicks } : undefined
}

import { readFileSync } from 'node:fs'

/** A process that cannot be mistaken for a later one with the same pid. */
export type ProcessIdentity = {
  pid: number
  /** Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22). */
  startTicks: number
}

/** The kernel's own, of `/proc/<pid>/stat`, field 9 (PF_KTHREAD of linux/sched.h). */
const kernelThread = 0x200000

/** Identity of a living process. A zombie is dead: some init processes reap late. Undefined when there is none. */
export function processIdentity(pid: number, procDir = '/proc'): ProcessIdentity | undefined {
  const stat = readStat(pid, procDir)
  return stat && lives(stat) ? { pid, startTicks: stat.startTicks } : undefined
}

/** Whether it lives and is not a thread of the kernel. */
export function isProgram(pid: number, procDir = '/proc'): boolean {
  const stat = readStat(pid, procDir)
  return stat !== undefined && lives(stat) && (stat.flags & kernelThread) === 0
}

/** Whether exactly this process still lives. */
export function isAlive(identity: ProcessIdentity, procDir = '/proc'): boolean {
  return processIdentity(identity.pid, procDir)?.startTicks === identity.startTicks
}

type Stat = { state: string; flags: number; startTicks: number }

function lives({ state }: Stat): boolean {
  return state !== 'Z' && state !== 'X'
}

function readStat(pid: number, procDir: string): Stat | undefined {
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
  return Number.isSafeInteger(startTicks) ? { state: fields[0] ?? '', flags: Number(fields[6]), startTicks } : undefined
}

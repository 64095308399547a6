import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A process in the network namespace of this one: the bench has one of its own, so all in it are the measured system's, or its own. */
export interface Found {
  readonly pid: number
  /** First word of its command line, without folders; a title where the process has set one. */
  readonly name: string
  readonly cpuMs: number
}

const TICK_MS = 10

export function processesHere(): Found[] {
  const here = readlinkSync('/proc/self/ns/net')
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => found(pid, here))
}

/** A process may end while it is looked at: then it is none. */
function found(pid: string, here: string): Found[] {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) !== here) return []
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? ''
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [, , , , , , , , , , , user = '0', system = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return [{ pid: Number(pid), name: nameOf(command), cpuMs: (Number(user) + Number(system)) * TICK_MS }]
  } catch {
    return []
  }
}

function nameOf(command: string): string {
  if (command.startsWith('postgres:') || command.endsWith('/postgres')) return 'postgres'
  return command.slice(command.lastIndexOf('/') + 1).split(' ')[0] ?? ''
}

/** Resident memory, and the share of it that is fair to count where pages are shared, in bytes. */
export function memoryOf(pid: number): { rssBytes: number; pssBytes: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const bytes = (field: string) => Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) * 1024
  return { rssBytes: bytes('Rss'), pssBytes: bytes('Pss') }
}

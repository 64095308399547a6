import { readdirSync, readFileSync } from 'node:fs'

/** Children of this process at present, `pid name`; zombies that await reaping are left out. */
export function childProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = readStat(pid)
      return stat?.parent === process.pid && stat.state !== 'Z' ? [`${pid} ${stat.name}`] : []
    })
}

function readStat(pid: string): { name: string; state: string; parent: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')), state, parent: Number(parent) }
  } catch {
    return undefined
  }
}

/** Names of what keeps this process from ending: sockets, servers, children; not the runner's own pipes and timers. */
export function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Process|TTY|UDP|FSEvent/.test(name))
}

/** Remembers what is open now; `check` names what has come since and is still there. */
export function leakCheck(): { check(): string[] } {
  const children = new Set(childProcesses())
  const handles = count(openHandles())
  return {
    check: () => [
      ...childProcesses().filter((child) => !children.has(child)),
      ...[...count(openHandles())]
        .filter(([name, number]) => number > (handles.get(name) ?? 0))
        .map(([name, number]) => `${number} × ${name}`),
    ],
  }
}

function count(names: string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

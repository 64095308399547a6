import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { childCgroups, removeCgroup } from '@berth/host'

const triesMs = [0, 10, 50, 200, 1_000]

/** Groups whose names begin so. */
export async function cgroupsNamed(prefix: string): Promise<string[]> {
  const names = await Promise.all(roots().map((root) => childCgroups(root)))
  return [...new Set(names.flat().filter((name) => name.startsWith(prefix)))]
}

/** Removes a VM's groups; a process that has just ended leaves them a moment later. */
export async function clearCgroup(name: string, signal: AbortSignal): Promise<void> {
  for (const waitMs of triesMs) {
    await delay(waitMs, undefined, { signal })
    const removed = await Promise.all(roots().map((root) => removeCgroup(path.join(root, name))))
    if (removed.every(Boolean)) return
  }
}

/** Where the shim makes groups: the unified hierarchy, v1's memory and cpu controllers, and the one by which systemd ends services. */
function roots(): string[] {
  return hierarchies(readFileSync('/proc/self/mounts', 'utf8'))
}

/** Mount points of those hierarchies, from the text of a `mounts` file. */
export function hierarchies(mounts: string): string[] {
  return mounts.split('\n').flatMap((line) => {
    const [, root = '', type, options = ''] = line.split(' ')
    const used = type === 'cgroup2' || (type === 'cgroup' && /(^|,)(memory|cpu|name=systemd)(,|$)/.test(options))
    return used ? [root] : []
  })
}

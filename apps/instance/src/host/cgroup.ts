import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { cgroupMounts, cgroupPids, childCgroups, removeCgroup } from '@berth/host'

/** Where the shim makes groups: the unified hierarchy, else each of these controllers' own. */
const controllers = ['memory', 'cpu']
const triesMs = [0, 10, 50, 200, 1_000]

/** The folders that a group of this name can have. */
export function cgroupFolders(name: string): string[] {
  return roots().map((root) => path.join(root, name))
}

/** Groups on this host whose names begin like those of VMs. */
export async function vmCgroups(): Promise<string[]> {
  const names = await Promise.all(roots().map((root) => childCgroups(root)))
  return [...new Set(names.flat().filter((name) => /^berth-[0-9a-hjkmnp-tv-z]{10}$/.test(name)))]
}

/** Processes in the groups of this name. */
export async function cgroupMembers(name: string): Promise<number[]> {
  const pids = await Promise.all(cgroupFolders(name).map((folder) => cgroupPids(folder)))
  return [...new Set(pids.flat())]
}

/** Removes a VM's groups; a process that has just ended leaves them a moment later. */
export async function clearCgroup(name: string, signal: AbortSignal): Promise<void> {
  for (const waitMs of triesMs) {
    await delay(waitMs, undefined, { signal })
    const removed = await Promise.all(cgroupFolders(name).map((folder) => removeCgroup(folder)))
    if (removed.every(Boolean)) return
  }
}

function roots(): string[] {
  const { unified, controllers: found } = cgroupMounts()
  return [...new Set([...(unified ? [unified] : []), ...controllers.flatMap((name) => found[name] ?? [])])]
}

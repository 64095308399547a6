import { readFileSync } from 'node:fs'

/** Where the host's control groups are mounted. */
export type CgroupMounts = {
  /** Mount point of the unified hierarchy (v2), when there is one. */
  unified: string | undefined
  /** Mount points of v1 hierarchies by controller (`memory`, `cpu`, …). Controllers in v1 are not available in the unified one. */
  controllers: Record<string, string>
}

const named = /^name=/

/** Reads the mounts from the text of a `mountinfo` file; default this process's. */
export function cgroupMounts(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupMounts {
  const found: CgroupMounts = { unified: undefined, controllers: {} }
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ')
    const mountPoint = before?.split(' ')[4]
    const [type, , options] = after?.split(' ') ?? []
    if (!mountPoint) continue
    if (type === 'cgroup2') found.unified ??= mountPoint
    if (type !== 'cgroup') continue
    const flags = new Set(['rw', 'ro', 'xattr', 'clone_children', 'noprefix'])
    for (const word of options?.split(',') ?? []) {
      if (!flags.has(word) && !named.test(word) && !word.includes('=')) found.controllers[word] ??= mountPoint
    }
  }
  return found
}

import type { FoundVm } from './ports.ts'

/** Something of a VM that no instance has, and why it is to be kept. */
export type OrphanOfVm = { found: FoundVm; keep: string | undefined }

/** VMMs end first, then their shims, which write down how; what a VM had goes after it. */
const order: readonly FoundVm['kind'][] = ['process', 'cgroup', 'socket', 'folder']
const isShim = ({ kind, name }: FoundVm): number => (kind === 'process' && name.startsWith('berth-shim ') ? 1 : 0)

/**
 * Puts orphans into the order in which they go. A VM that runs is kept, and all that is its own with it, unless it is to be ended: a database that has
 * forgotten it must not cost it.
 */
export function inOrder(orphans: FoundVm[], { includeRunning }: { includeRunning: boolean }): OrphanOfVm[] {
  const running = new Map(orphans.filter(({ kind }) => kind === 'process').map((one) => [one.short, one.name]))
  const keep = ({ kind, short }: FoundVm): string | undefined => {
    if (includeRunning || !running.has(short)) return undefined
    return kind === 'process' ? 'it runs' : `${running.get(short)} runs, and it is that VM’s`
  }
  return orphans
    .toSorted((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind) || isShim(one) - isShim(other))
    .map((found) => ({ found, keep: keep(found) }))
}

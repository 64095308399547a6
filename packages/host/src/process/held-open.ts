import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { programs } from './programs.ts'

/** What processes of this machine have open, with the pid of one that has: files by their name below the folder, taps by theirs. */
export type HeldOpen = { files: Map<string, number>; taps: Map<string, number> }

/**
 * Looks which files below `folder` and which taps are open. What a process that ends meanwhile had open may be missing.
 * Links of /proc need no disk, so they are read at once instead of by another thread each.
 */
export async function heldOpen({ folder, procDir = '/proc' }: { folder?: string; procDir?: string } = {}): Promise<HeldOpen> {
  const held: HeldOpen = { files: new Map(), taps: new Map() }
  const root = folder === undefined ? undefined : await realpath(folder)
  for await (const pid of programs(procDir)) {
    for (const fd of orElse(() => readdirSync(`${procDir}/${pid}/fd`), [])) {
      const target = orElse(() => readlinkSync(`${procDir}/${pid}/fd/${fd}`), '')
      if (root !== undefined && target.startsWith(`${root}/`)) held.files.set(path.relative(root, target), pid)
      if (target !== '/dev/net/tun') continue
      const tap = /^iff:[ \t]*(\S+)$/m.exec(orElse(() => readFileSync(`${procDir}/${pid}/fdinfo/${fd}`, 'utf8'), ''))?.[1]
      if (tap !== undefined) held.taps.set(tap, pid)
    }
  }
  return held
}

function orElse<T>(read: () => T, instead: T): T {
  try {
    return read()
  } catch {
    return instead
  }
}

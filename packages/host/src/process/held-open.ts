import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import path from 'node:path'

/** What processes of this machine have open, with the pid of one that has: files by their name below the folder, taps by theirs. */
export type HeldOpen = { files: Map<string, number>; taps: Map<string, number> }

/** Looks which files below `folder` and which taps are open. What a process that ends meanwhile had open may be missing. */
export async function heldOpen({ folder, procDir = '/proc' }: { folder?: string; procDir?: string } = {}): Promise<HeldOpen> {
  const held: HeldOpen = { files: new Map(), taps: new Map() }
  const root = folder === undefined ? undefined : await realpath(folder)
  const pids = (await readdir(procDir)).filter((name) => /^\d+$/.test(name))
  await Promise.all(
    pids.map(async (pid) => {
      for (const fd of await orElse(readdir(`${procDir}/${pid}/fd`), [])) {
        const target = await orElse(readlink(`${procDir}/${pid}/fd/${fd}`), '')
        if (root !== undefined && target.startsWith(`${root}/`)) held.files.set(path.relative(root, target), Number(pid))
        if (target !== '/dev/net/tun') continue
        const tap = /^iff:[ \t]*(\S+)$/m.exec(await orElse(readFile(`${procDir}/${pid}/fdinfo/${fd}`, 'utf8'), ''))?.[1]
        if (tap !== undefined) held.taps.set(tap, Number(pid))
      }
    }),
  )
  return held
}

async function orElse<T>(read: Promise<T>, instead: T): Promise<T> {
  return read.catch(() => instead)
}

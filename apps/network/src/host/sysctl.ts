import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The kernel's settings by their name below /proc/sys, and its links, of the network namespace this process is in. */
export interface Settings {
  /** Undefined where the kernel has no such setting. */
  read(name: string): Promise<string | undefined>
  write(name: string, value: string): Promise<void>
  hasLink(name: string): Promise<boolean>
}

/** Settings of this process's own namespace. */
export function procSettings(root = '/proc/sys'): Settings {
  return {
    async read(name) {
      try {
        return (await readFile(join(root, name), 'utf8')).trim()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    write: (name, value) => writeFile(join(root, name), value),
    async hasLink(name) {
      const links = await readFile('/proc/net/dev', 'utf8')
      return links.split('\n').some((line) => line.trimStart().startsWith(`${name}:`))
    },
  }
}

/** Writes those that exist and differ. */
export async function settle(settings: Settings, wanted: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(wanted)) {
    const found = await settings.read(name)
    if (found !== undefined && found !== value) await settings.write(name, value)
  }
}

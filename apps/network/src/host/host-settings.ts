import { readFile } from 'node:fs/promises'
import { atomicWrite } from '@berth/host'
import { hostSettings } from '../domain/links.ts'
import { type Settings, settle } from './sysctl.ts'

/** Keeps the host's own settings as Berth needs them, and remembers what they were. */
export interface HostSettings {
  apply(): Promise<void>
  /** Puts back what was recorded. */
  restore(): Promise<void>
}

/**
 * @param file where the former values are recorded before the first change; a value that stands there is never overwritten
 */
export function hostSettingsKeeper(settings: Settings, file: string): HostSettings {
  return {
    async apply() {
      const wanted = { ...hostSettings, ...(await routerAdvertisements(settings)) }
      const record = await recorded(file)
      const fresh = await changesOf(settings, wanted, record)
      if (Object.keys(fresh).length > 0) await atomicWrite(file, `${JSON.stringify({ ...fresh, ...record }, null, 2)}\n`, { mode: 0o600 })
      await settle(settings, wanted)
    },
    async restore() {
      for (const [name, value] of Object.entries(await recorded(file))) {
        if ((await settings.read(name)) !== undefined) await settings.write(name, value)
      }
    },
  }
}

/** A host that has its own IPv6 route from router advertisements keeps taking them, which forwarding would end (2: also when forwarding). */
async function routerAdvertisements(settings: Settings): Promise<Record<string, string>> {
  const forwards = await settings.read('net/ipv6/conf/all/forwarding')
  if (forwards !== '0') return {}
  const links = await readFile('/proc/net/dev', 'utf8')
  const names = links.split('\n').flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? [])
  const taking: Record<string, string> = {}
  for (const link of names) {
    const name = `net/ipv6/conf/${link}/accept_ra`
    if (link !== 'lo' && (await settings.read(name)) === '1') taking[name] = '2'
  }
  return taking
}

async function changesOf(
  settings: Settings,
  wanted: Record<string, string>,
  record: Record<string, string>,
): Promise<Record<string, string>> {
  const fresh: Record<string, string> = {}
  for (const [name, value] of Object.entries(wanted)) {
    const found = await settings.read(name)
    if (found !== undefined && found !== value && !(name in record)) fresh[name] = found
  }
  return fresh
}

async function recorded(file: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, string>
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

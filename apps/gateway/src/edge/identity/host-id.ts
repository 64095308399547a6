import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Id of this host, from `<data>/host.json`, which the first service of the host makes; empty before that. */
export async function readHostId(dataDir: string): Promise<string> {
  try {
    const { id } = JSON.parse(await readFile(join(dataDir, 'host.json'), 'utf8')) as { id?: unknown }
    return typeof id === 'string' ? id : ''
  } catch {
    return ''
  }
}

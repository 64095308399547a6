import type { LayerEntry } from '@berth/host/oci-tar'
import { TarError } from './tar-header.ts'

const PREFIX = '.wh.'
const META = '.wh..wh.'
const OPAQUE = '.wh..wh..opq'

/** What one layer has put where so far; `true` for directories. */
export type Seen = Map<string, boolean>

/**
 * Decides what becomes of an entry, whiteouts above all: they hide what lower layers hold, never what the same layer brings.
 *
 * @returns the entry to unpack, or undefined when it is to be left out
 * @throws TarError for whiteouts of nothing
 */
export function applyWhiteoutRules(entry: LayerEntry, seen: Seen): LayerEntry | undefined {
  // Guests have a /dev of their own; nodes in an image would name devices of the host.
  if (entry.type === 'char' || entry.type === 'block') return undefined
  const slash = entry.path.lastIndexOf('/')
  const folder = entry.path.slice(0, slash + 1)
  const base = entry.path.slice(slash + 1)
  if (!base.startsWith(PREFIX)) {
    if (folder.split('/').some((part) => part.startsWith(PREFIX))) throw new TarError('an entry lies below a whiteout')
    seen.set(entry.path, entry.type === 'directory')
    return entry
  }
  if (base === OPAQUE) return whiteout(`${folder}${OPAQUE}`)
  // What else begins so is AUFS's own book-keeping.
  if (base.startsWith(META)) return undefined
  const hidden = base.slice(PREFIX.length)
  if (hidden === '' || hidden === '.' || hidden === '..') throw new TarError('a whiteout hides nothing')
  const directory = seen.get(`${folder}${hidden}`)
  if (directory === undefined) return whiteout(entry.path)
  return directory ? whiteout(`${folder}${hidden}/${OPAQUE}`) : undefined
}

const whiteout = (path: string): LayerEntry => ({ path, type: 'file', mode: 0o600 })

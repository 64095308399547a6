import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/**
 * What the services say they have on this host: `<data>/<service>/host-record.json`, written before each effect.
 * Only what stands there is touched; nothing is found by a prefix.
 */
export function readRecords(dataDir) {
  if (!existsSync(dataDir)) return []
  return readdirSync(dataDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(dataDir, entry.name, 'host-record.json'))
    .filter((file) => existsSync(file))
    .flatMap((file) => parseRecord(file, readFileSync(file, 'utf8')))
}

/** @throws when the record is not of a form this version knows: it then says more than would be removed */
export function parseRecord(file, text) {
  const { version, objects } = JSON.parse(text)
  if (version !== 1 || !Array.isArray(objects)) throw new Error(`${file} is of another version of Berth`)
  for (const object of objects) {
    const fields = FIELDS[object.kind]
    if (!fields) throw new Error(`${file} names a ${object.kind}, which this version does not know`)
    for (const field of fields) {
      if (!VALID[field].test(String(object[field]))) throw new Error(`${file}: ${object.kind} has a bad ${field}: ${object[field]}`)
    }
  }
  return objects
}

/** Kinds of objects, in the order they are removed, and what names each. */
export const FIELDS = {
  process: ['pid', 'startTicks'],
  rule: ['family', 'table', 'chain', 'comment'],
  table: ['family', 'table'],
  tap: ['name'],
  bridge: ['name'],
  cgroup: ['path'],
}

const VALID = {
  pid: /^[1-9]\d*$/,
  startTicks: /^\d+$/,
  family: /^(ip|ip6|inet|bridge|arp|netdev)$/,
  table: /^[\w-]+$/,
  chain: /^[\w-]+$/,
  comment: /^berth[\w:. -]*$/,
  name: /^[\w-]{1,15}$/,
  path: /^\/sys\/fs\/cgroup\/(?!.*\.\.)[^\0]*berth[^\0]*$/,
}

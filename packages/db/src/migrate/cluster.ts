import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { failedPrecondition } from '@berth/errors'
import type { Database } from '../database.ts'

const fileIn = (dataDir: string) => path.join(dataDir, 'cluster.json')

/** Id of the database that a data folder belongs to; undefined before a service has held the host for the first time. */
export async function rememberedCluster(dataDir: string): Promise<string | undefined> {
  try {
    return (JSON.parse(await readFile(fileIn(dataDir), 'utf8')) as { id: string }).id
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Binds a data folder to the database with this id, for good: rows of another one say nothing about what is on this host.
 *
 * @throws FailedPrecondition(`FOREIGN_DATABASE`) when it is bound to another
 */
export async function bindCluster(dataDir: string, id: string): Promise<void> {
  const file = fileIn(dataDir)
  if ((await rememberedCluster(dataDir)) === undefined) {
    await mkdir(dataDir, { recursive: true })
    const temporary = `${file}.${randomBytes(6).toString('hex')}`
    await writeFile(temporary, `${JSON.stringify({ id })}\n`, { flag: 'wx', mode: 0o644, flush: true })
    // A link appears whole or not at all, and never over another's.
    await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    await rm(temporary)
  }
  const known = await rememberedCluster(dataDir)
  if (known !== id) throw foreignDatabase(known ?? '', id)
}

/** Id of a service's database; empty when it has none. @throws Unavailable */
export async function clusterOf(db: Database): Promise<string> {
  const [row] = await db.read((queries) => queries.select({ id: db.tables.cluster.id }).from(db.tables.cluster))
  return row?.id ?? ''
}

/** @param found empty for a database that has never been Berth's */
export function foreignDatabase(known: string, found: string) {
  const text = `this host belongs to the database ${known} and not to ${found || 'this empty one'}: nothing is touched until it is given its own`
  return failedPrecondition('FOREIGN_DATABASE', text, { metadata: { known, found } })
}

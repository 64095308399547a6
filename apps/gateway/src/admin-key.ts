import type { Database } from '@berth/db'
import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hashApiKey, isApiKey, makeApiKey } from './domain/api-key.ts'
import { apiKeyStore } from './store/api-keys.ts'

/**
 * Sees to it that the file holds a key with the role `admin` of the project `default`: what is there and known stays, one that the
 * database does not know (a new database under an old data folder) is added to it, and a new one is made where there is none. The file
 * gets mode 0600. The file comes first, so that a crash in between leaves no key that nobody holds.
 *
 * @throws Unavailable(`DATABASE_UNAVAILABLE`)
 */
export async function ensureAdminKey({ db, file }: { db: Database; file: string }): Promise<{ made: boolean }> {
  const store = apiKeyStore(db)
  const there = await readKey(file)
  if (there && (await store.findByHash(hashApiKey(there)))) {
    await chmod(file, 0o600)
    return { made: false }
  }
  const revoked = there !== undefined && (await store.isRevoked(hashApiKey(there)))
  const key = there && !revoked ? there : await writeKey(file, revoked)
  await chmod(file, 0o600)
  await store.add({ hash: hashApiKey(key), name: 'admin', project: 'default', roles: ['admin'] })
  return { made: key !== there }
}

async function readKey(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const key = text.trim()
  return isApiKey(key) ? key : undefined
}

/** Writes a new key; when another process writes one at the same time, both end with that of the first. */
async function writeKey(file: string, replace: boolean): Promise<string> {
  await mkdir(dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(`${makeApiKey()}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (replace || !(await linked(temporary, file))) await rename(temporary, file)
  else await rm(temporary)
  const key = await readKey(file)
  if (!key) throw new Error(`${file} holds no key`)
  return key
}

/** False when the place is taken by something that is no key. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return (await readKey(to)) !== undefined
  }
}

import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type SchemaName, schemaNames } from './sources.ts'

/**
 * The passwords of all roles, kept in a file of mode 0600 that is made when missing. It is written before the roles are made, so a crash
 * between the two loses nothing; two processes at once get the same ones.
 */
export async function rolePasswords(file: string): Promise<Record<SchemaName, string>> {
  const existing = await read(file)
  if (existing !== undefined) return existing
  const made = Object.fromEntries(schemaNames.map((name) => [name, randomBytes(24).toString('base64url')]))
  await mkdir(path.dirname(file), { recursive: true })
  const temporary = `${file}.${randomBytes(6).toString('hex')}`
  await writeFile(temporary, `${JSON.stringify(made, undefined, 2)}\n`, { mode: 0o600, flag: 'wx', flush: true })
  await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(temporary)
  return (await read(file)) as Record<SchemaName, string>
}

async function read(file: string): Promise<Record<SchemaName, string> | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<SchemaName, string>
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

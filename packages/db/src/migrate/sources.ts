import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { commonMigrations, type Migration } from './common-sql.ts'

/** Schemas of the system and the folder, below the clone's root, whose `migrations` make them. */
export const schemaFolders = {
  image: 'apps/image',
  volume: 'apps/volume-provisioner',
  network: 'apps/network',
  device: 'apps/device',
  instance: 'apps/instance',
  access: 'apps/gateway',
} as const

export type SchemaName = keyof typeof schemaFolders
export const schemaNames = Object.keys(schemaFolders) as SchemaName[]

/** A schema's steps in order: the common ones, then `NNNN_name.sql` of its service. A service without the folder has none of its own. */
export async function migrationsOf(schema: SchemaName, home: string): Promise<Migration[]> {
  const folder = path.join(home, schemaFolders[schema], 'migrations')
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const files = names.filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).toSorted()
  const own = files.map(async (name) => ({ name: name.slice(0, -4), sql: await readFile(path.join(folder, name), 'utf8') }))
  return [...commonMigrations(schema), ...(await Promise.all(own))]
}

import { rmSync } from 'node:fs'
import { createClient, rolePasswords } from '@berth/db'
import { startEmbeddedPostgres } from '@berth/host/embedded/index'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { prepareTemplate } from './template.ts'
import { makeTempDir } from './temp-dir.ts'
import { home } from './home.ts'

/** What test files get to know of the run's Postgres. */
export type SharedPostgres = { url: string; passwords: Awaited<ReturnType<typeof rolePasswords>> }

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: SharedPostgres
  }
}

/** One Postgres for the whole run, with a migrated template that each test file's database is copied from. It ends with the run, however that ends. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = makeTempDir('pg')
  const server = await startEmbeddedPostgres({ dataDir: folder, home, fast: true, tieToParent: true })
  const passwords = await rolePasswords(path.join(folder, 'roles.json'))
  const admin = createClient({ url: server.url, pool: 1 })
  await prepareTemplate(admin, server.url, passwords)
  await admin.end()
  project.provide('postgres', { url: server.url, passwords })
  return async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

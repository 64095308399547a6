import path from 'node:path'
import { migrate, roleOf, rolePasswords, schemaNames, urlAs } from '@berth/db'
import { home, tempDir } from '@berth/testing'
import { transactionPooler, type TestPooler } from '@berth/testing/pooler'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { type OwnPostgres, ownPostgres } from '@berth/testing/servers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { create, exec, remove } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

let registry: TestRegistry
let postgres: OwnPostgres
let pooler: TestPooler
let system: TestSystem

/** Every service comes through a pooler in transaction mode; only the migration, which makes roles, goes straight to the server. */
beforeAll(async () => {
  registry = await startRegistry()
  postgres = await ownPostgres()
  using folder = tempDir('roles')
  const passwords = await rolePasswords(path.join(folder.path, 'roles.json'))
  await migrate({ url: postgres.url, home, passwords })
  const users = Object.fromEntries(schemaNames.map((schema) => [roleOf(schema), passwords[schema]]))
  pooler = await transactionPooler(postgres.url, users)
  const urls = schemaNames.map((schema) => {
    const own = urlAs(postgres.url, roleOf(schema), passwords[schema])
    return [`BERTH_${schema.toUpperCase()}_DATABASE_URL`, pooler.through(own)]
  })
  const env = { BERTH_HYPERVISOR: 'recorder', BERTH_INSECURE_REGISTRIES: registry.host, DATABASE_URL: postgres.url }
  system = await startTestSystem({
    portOffset: 12_300,
    env: { ...env, ...Object.fromEntries(urls), BERTH_DATABASE_PREPARE: 'off' },
  })
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await pooler?.[Symbol.asyncDispose]()
  await postgres?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

it('behind a pooler in transaction mode instances are created, run in and deleted, several at once', { timeout: 120_000 }, async () => {
  const image = await publish(registry, 'pooled', busyboxImage().image)
  const watching = new AbortController()
  const seen: string[] = []
  const watch = (async () => {
    for await (const { instance } of system.api.instances.watchInstances({}, { signal: watching.signal }))
      if (instance) seen.push(instance.id)
  })().catch(() => undefined)
  const ids = await Promise.all(
    Array.from({ length: 6 }, async (_, index) => {
      const { id } = await create(system.api, `pooled-${index}`, image)
      expect(await exec(system.api, id, ['echo', 'through'])).toMatchObject({ code: 0 })
      await remove(system.api, id)
      return id
    }),
  )
  expect(ids.filter((id) => !seen.includes(id))).toEqual([])
  expect((await system.api.audit.auditHost({})).findings).toEqual([])
  watching.abort()
  await watch
  const [server] = await postgres.sql(`select count(*)::int as n from pg_stat_activity where usename = 'berth_instance'`)
  expect(Number(server?.['n'])).toBeLessThanOrEqual(3)
})

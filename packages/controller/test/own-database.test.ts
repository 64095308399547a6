import { createLogger } from '@berth/telemetry'
import { tempDir, type TestDatabase, testDatabase } from '@berth/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ownDatabase } from '../src/audit/own-database.ts'
import { holdHost } from '../src/index.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

/** A process that holds a host; it learns nothing from its heartbeat. */
async function holder() {
  const data = tempDir('own')
  const db = database.open('volume')
  const signal = AbortSignal.timeout(15_000)
  const lease = await holdHost({ db, dataDir: data.path, advertise: '', logger, signal, beatMs: 60_000 })
  return {
    lease,
    sure: () => ownDatabase({ db, dataDir: data.path, lease }),
    async [Symbol.asyncDispose]() {
      await lease[Symbol.asyncDispose]()
      data[Symbol.dispose]()
    },
  }
}

it('is sure of the database that the host was bound to, while the host is held', async () => {
  await using held = await holder()
  await held.sure()
})

it('refuses another database, an empty one and one without a name', async () => {
  await using held = await holder()
  const [row] = await database.sql('select id from volume.cluster')
  const foreign = (found: string) => ({ code: 'FAILED_PRECONDITION', reason: 'FOREIGN_DATABASE', metadata: { known: row?.['id'], found } })
  await database.sql(`update volume.cluster set id = 'clu_other'`)
  await expect(held.sure()).rejects.toMatchObject(foreign('clu_other'))
  await database.sql('alter table volume.cluster rename to away')
  await expect(held.sure()).rejects.toMatchObject(foreign(''))
  await database.sql('alter table volume.away rename to cluster')
  await database.sql('delete from volume.cluster')
  await expect(held.sure()).rejects.toMatchObject(foreign(''))
  await database.sql(`insert into volume.cluster (id) values ('${String(row?.['id'])}')`)
  await held.sure()
  expect(held.lease.signal.aborted).toBe(false)
})

it('refuses when another process has taken the host over, and tells the service to end', async () => {
  await using held = await holder()
  await database.sql(`update volume.leases set epoch = epoch + 1 where host_id = '${held.lease.hostId}'`)
  await expect(held.sure()).rejects.toMatchObject({ code: 'ABORTED', reason: 'LEASE_LOST' })
  expect(held.lease.signal.aborted).toBe(true)
})

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createLogger } from '@berth/telemetry'
import { createVolume, sampleCaller, tempDir, type TestDatabase, testDatabase, until, volumeStore, volumesSql } from '@berth/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { holdHost, hostInfo, tryLock } from '../src/index.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const holderFile = fileURLToPath(new URL('holder.ts', import.meta.url))
let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.sql(volumesSql)
})
afterAll(() => database[Symbol.asyncDispose]())

async function startHolder(dataDir: string): Promise<{ child: ChildProcess; epoch: number }> {
  const child = spawn(process.execPath, [holderFile, database.urlFor('volume'), dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout as NonNullable<typeof child.stdout>, 'data')) as [Buffer]
  return { child, epoch: Number(line.toString()) }
}

const hold = (dataDir: string, staleMs = 900) =>
  holdHost({ db: database.open('volume'), dataDir, advertise: '127.0.0.1:7012', logger, signal: AbortSignal.timeout(15_000), staleMs })

it('takes over when the holder is killed, long before its heartbeat is old, and raises the epoch', async () => {
  using data = tempDir('hold')
  const { child, epoch } = await startHolder(data.path)
  expect(epoch).toBe(1)
  const taking = hold(data.path, 60_000)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const start = performance.now()
  await using lease = await taking
  expect(performance.now() - start).toBeLessThan(5_000)
  expect(lease).toMatchObject({ epoch: 2, service: 'volume', hostId: (await hostInfo(data.path)).id })
  expect(lease.signal.aborted).toBe(false)
})

it('ends a holder that is stopped, by pid and start time, and only then takes over', async () => {
  using data = tempDir('hold')
  const { child, epoch } = await startHolder(data.path)
  child.kill('SIGSTOP')
  const ended = once(child, 'exit')
  await using lease = await hold(data.path)
  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(lease.epoch).toBe(epoch + 1)
})

it('waits for a holder that lives, until told to stop waiting', async () => {
  using data = tempDir('hold')
  await using lease = await hold(data.path)
  const second = holdHost({
    db: database.open('volume'),
    dataDir: data.path,
    advertise: '',
    logger,
    signal: AbortSignal.timeout(1_500),
    staleMs: 900,
  })
  await expect(second).rejects.toThrow(/timeout/i)
  expect(lease.signal.aborted).toBe(false)
})

it('lets an overtaken process write nothing, and tells it', async () => {
  using data = tempDir('hold')
  await using lease = await hold(data.path)
  const store = volumeStore(database.open('volume'))
  await createVolume(store.db, 'overtaken', '', { host: lease.hostId })
  const row = await store.get(sampleCaller.project, 'overtaken')
  await database.sql(`update volume.leases set epoch = epoch + 1 where host_id = '${lease.hostId}'`)
  const write = store.db.transaction('volume.status', (tx) => store.updateStatus(tx, lease, row, { ...row.status, method: 'sparse' }))
  await expect(write).rejects.toMatchObject({ reason: 'LEASE_LOST' })
  expect(lease.signal.aborted).toBe(true)
  expect(await store.get(sampleCaller.project, 'overtaken')).toEqual(row)
})

it('learns from its heartbeat that it was overtaken', async () => {
  using data = tempDir('hold')
  await using lease = await hold(data.path)
  await database.sql(`update volume.leases set epoch = epoch + 1 where host_id = '${lease.hostId}'`)
  await until('the loss is known', () => lease.signal.aborted)
  expect(lease.signal.reason).toMatchObject({ code: 'ABORTED', reason: 'LEASE_LOST' })
})

it('takes back no heartbeat that is later than its own, as of two that overlap where the database is slow', async () => {
  using data = tempDir('hold')
  await using lease = await hold(data.path)
  const where = `where host_id = '${lease.hostId}' and service = '${lease.service}'`
  await database.sql(`update volume.leases set heartbeat = now() + interval '1 hour' ${where}`)
  const later = async () =>
    (await database.sql(`select heartbeat > now() + interval '50 minutes' as it from volume.leases ${where}`))[0]?.['it']
  // Each beat after the first would find what the one before has taken back.
  await delay(500)
  expect(await later()).toBe(true)
  expect(lease.signal.aborted).toBe(false)
})

it('notices that the database has gone back to an earlier state, and then goes above every epoch this host has seen', async () => {
  using data = tempDir('hold')
  const file = path.join(data.path, 'volume/epoch')
  let hostId: string
  {
    await using lease = await hold(data.path)
    hostId = lease.hostId
    expect(readFileSync(file, 'utf8')).toBe('1\n')
    await database.sql(`update volume.leases set heartbeat = heartbeat - interval '1 hour' where host_id = '${hostId}'`)
    await until('the loss is known', () => lease.signal.aborted)
  }
  writeFileSync(file, '41\n')
  await using lease = await hold(data.path)
  expect(lease).toMatchObject({ epoch: 42, hostId })
  await database.sql(`delete from volume.leases where host_id = '${hostId}'`)
  await until('a lease that is gone is lost', () => lease.signal.aborted)
})

it('refuses a database that is not the one its folder belongs to, and writes nothing into it', async () => {
  using data = tempDir('hold')
  await (await hold(data.path))[Symbol.asyncDispose]()
  await using foreign = await testDatabase()
  await foreign.sql(`update volume.cluster set id = 'clu_other'`)
  const db = foreign.open('volume')
  const options = { db, dataDir: data.path, advertise: '', logger, signal: AbortSignal.timeout(10_000) }
  await expect(holdHost(options)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'FOREIGN_DATABASE',
    metadata: { found: 'clu_other' },
  })
  expect(await foreign.sql('select 1 from volume.leases')).toEqual([])
  await using lease = await hold(data.path)
  expect(lease.epoch).toBe(2)
})

it('makes one host of a folder, whoever comes first, and refuses a folder of another machine', async () => {
  using data = tempDir('host')
  const machine = path.join(data.path, 'machine-id')
  writeFileSync(machine, 'aaaa\n')
  const all = await Promise.all(Array.from({ length: 10 }, () => hostInfo(data.path, machine)))
  expect(new Set(all.map(({ id }) => id)).size).toBe(1)
  expect(all[0]?.id).toMatch(/^hst_[0-9a-hjkmnp-tv-z]{26}$/)
  writeFileSync(machine, 'bbbb\n')
  await expect(hostInfo(data.path, machine)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'COPIED_DATA_FOLDER' })
})

it('gives a lock to one at a time, and back', async () => {
  using data = tempDir('lock')
  const file = path.join(data.path, 'x/lock')
  const first = await tryLock(file, 'boot')
  expect(await tryLock(file, 'boot')).toBeUndefined()
  await first?.release()
  const second = await tryLock(file, 'boot')
  expect(second).toBeDefined()
  await second?.release()
})

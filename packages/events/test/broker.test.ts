import { setTimeout as delay } from 'node:timers/promises'
import { appendOutbox, newId } from '@berth/db'
import { createLogger } from '@berth/telemetry'
import { testDatabase, testNats, until } from '@berth/testing'
import { expect, it } from 'vitest'
import { openEvents } from '../src/index.ts'

const logger = createLogger({ name: 'test', level: 'silent' })

it('ends without the broker’s answers; the next process publishes what they were for', async () => {
  await using own = await testDatabase()
  await using nats = await testNats()
  const db = own.open('volume')
  const events = openEvents({ db, natsUrl: nats.url, logger })
  await until('it is connected', () => events.brokerState() === 'connected')
  nats.hold()
  await db.transaction('test', async (tx) => {
    const resourceId = newId('vol')
    appendOutbox(tx, [
      { project: 'default', kind: 'volume', resourceId, verb: 'updated', generation: 1, actor: 'a', resource: { id: resourceId } },
    ])
  })
  await until('it has its place', async () => (await own.sql('select 1 from volume.outbox where seq is null')).length === 0)
  const ended = events[Symbol.asyncDispose]().then(() => 'ended')
  expect(await Promise.race([ended, delay(4_000, 'still waits for answers')])).toBe('ended')
  expect(await own.sql('select resource_id from volume.outbox where publish_time is null')).toHaveLength(1)
  await using other = await testNats()
  await using _next = openEvents({ db: own.open('volume'), natsUrl: other.url, logger })
  await until('it is published', async () => (await own.sql('select 1 from volume.outbox where publish_time is null')).length === 0)
})

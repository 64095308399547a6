import type { Database } from '@berth/db'
import { type Events, openEvents } from '@berth/events'
import { createLogger } from '@berth/telemetry'
import { createVolume, sampleCaller, tempDir, type TestDatabase, testDatabase, volumesSql } from '@berth/testing'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext } from '@connectrpc/connect'
import { createOperations, holdHost, type Lease, type Operations, operationService } from '../src/index.ts'

export const logger = createLogger({ name: 'test', level: 'silent' })
export const context = { signal: new AbortController().signal } as HandlerContext

/** What a service has before its controllers: a database, events, the host and operations. */
export type World = AsyncDisposable & {
  stack: AsyncDisposableStack
  database: TestDatabase
  db: Database
  events: Events
  lease: Lease
  operations: Operations
  service: ReturnType<typeof operationService>
  /** Creates a volume on the host held. */
  make(name: string): ReturnType<typeof createVolume>
  /** Waits for the end of an operation. */
  wait(id: string | undefined): ReturnType<typeof operationOf>
}

export async function startWorld(): Promise<World> {
  const stack = new AsyncDisposableStack()
  const database = stack.use(await testDatabase())
  await database.sql(volumesSql)
  const db = database.open('volume')
  const events = stack.use(openEvents({ db, natsUrl: undefined, logger }))
  const data = stack.use(tempDir('controller'))
  const lease = stack.use(await holdHost({ db, dataDir: data.path, advertise: '', logger, signal: AbortSignal.timeout(10_000) }))
  const operations = stack.use(createOperations({ db, events }))
  const service = operationService({ operations, callerOf: () => sampleCaller })
  return {
    ...{ stack, database, db, events, lease, operations, service },
    make: (name) => createVolume(db, name, '', { host: lease.hostId }),
    wait: (id) => operationOf(service, id),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

async function operationOf(service: World['service'], id: string | undefined) {
  const { operation } = await service.waitOperation({ id: id ?? '', timeout: durationFromMs(10_000) } as never, context)
  return operation
}

import { setTimeout as delay } from 'node:timers/promises'
import { createLogger } from '@berth/telemetry'
import { testDatabase, until } from '@berth/testing'
import { expect, it } from 'vitest'
import { recordedHost } from '../src/host/recorder.ts'
import type { NetworkContext } from '../src/loops/context.ts'
import { convergeLoop } from '../src/loops/converge.ts'
import { openStores } from '../src/store/stores.ts'
import { bridge, createWorld, names, portNumber } from './world.ts'

it('hears that a table of rules was deleted, and of nothing that happens to a port', async () => {
  await using world = await createWorld()
  const { network, host, signal } = world
  const port = portNumber(2)
  let heard = false
  const watching = network.tableDeleted(signal).then(() => {
    heard = true
  })
  await until('nft watches', async () => (await host.exec('pgrep', '-f', '^nft monitor destroy tables')).code === 0)
  await delay(200)
  await network.ensureTap(names, port, signal)
  await network.ensureRules(names, bridge, port, signal)
  await network.removeTap(port, signal)
  await network.removeRules(names, port, signal)
  await delay(100)
  expect(heard).toBe(false)
  // More than once, should nft have begun to listen only after the first.
  await until('it is heard', async () => {
    await host.must('nft', 'add', 'table', 'inet', names.table)
    await host.must('nft', 'flush', 'ruleset')
    return heard
  })
  await watching
})

it('compares the host with the database as soon as it hears of that, though the next comparison is an hour away', async () => {
  await using database = await testDatabase()
  await using db = database.open('network')
  const stores = openStores(db)
  const heard = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let watches = 0
  let looks = 0
  const ports = Object.create(stores.ports, { onHost: { value: async () => ((looks += 1), []) } }) as typeof stores.ports
  const host = { ...recordedHost().host, tableDeleted: () => heard[watches++]?.promise ?? new Promise<void>(() => undefined) }
  const ctx = { stores: { ...stores, ports }, names, host, logger: createLogger({ name: 'test', level: 'silent' }), known: new Set() }
  const stop = new AbortController()
  void convergeLoop(ctx as unknown as NetworkContext, stop.signal, 3_600_000)
  for (const next of heard) {
    await until('it has compared', () => looks > 0)
    await delay(100)
    looks = 0
    next.resolve()
  }
  await until('it has compared again', () => looks > 0)
  stop.abort()
})

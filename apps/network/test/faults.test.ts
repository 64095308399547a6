import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tableDifferences } from '@berth/db'
import { testDatabase, until } from '@berth/testing'
import { expect, it } from 'vitest'
import { tables } from '../src/store/tables.ts'
import { createTestHost, ownerNumber } from './service-fixture.ts'

it('has the tables that its migrations make', async () => {
  await using database = await testDatabase()
  expect(await tableDifferences(database.open('network'), tables)).toEqual([])
})

it('ends clean whatever step of a port’s making or release fails or hangs', async () => {
  await using world = await createTestHost()
  const failpoints = join(world.dataDir, 'failpoints')
  await writeFile(failpoints, '')
  await using service = await world.start({ env: { BERTH_FAILPOINTS_FILE: failpoints } })
  const owner = ownerNumber(1)
  const wish = { owner, project: 'default', actor: 'test', network: '', uid: 900_001, up: true, hostname: 'vm' }
  await service.host.ensureNetwork({ project: 'default', network: '' })
  const names = (await readFile(`${failpoints}.names.network`, 'utf8')).split('\n').filter(Boolean)
  expect(names.filter((name) => name.startsWith('network.port.ensure')).length).toBeGreaterThanOrEqual(10)
  const isClean = async () => {
    const { findings } = await service.audits.auditHost({})
    return findings.length === 0 && (await service.networks.listPorts({})).ports.length === 0
  }

  for (const name of names.filter((one) => one.startsWith('network.port.ensure'))) {
    await writeFile(failpoints, `${name}=error *1\n`)
    await expect(service.host.ensurePort(wish), name).rejects.toThrow()
    await service.host.releasePort({ owner })
    expect(await isClean(), name).toBe(true)

    await rm(`${failpoints}.hits`)
    await writeFile(failpoints, `${name}=stall\n`)
    const stalled = expect(service.host.ensurePort(wish), name).rejects.toThrow()
    await until(`${name} is reached`, () => existsSync(`${failpoints}.hits`))
    await service.host.releasePort({ owner })
    await writeFile(failpoints, '')
    await stalled
    await until(`${name} left nothing`, isClean)
  }

  for (const name of names.filter((one) => one.startsWith('network.port.release'))) {
    await service.host.ensurePort(wish)
    await writeFile(failpoints, `${name}=error *1\n`)
    await expect(service.host.releasePort({ owner }), name).rejects.toThrow()
    await service.host.releasePort({ owner })
    expect(await isClean(), name).toBe(true)
  }
})

it('finishes a release that its process did not live to finish', async () => {
  await using world = await createTestHost()
  const failpoints = join(world.dataDir, 'failpoints')
  await writeFile(failpoints, 'network.port.release.rules.before=exit\n')
  const service = await world.start({ env: { BERTH_FAILPOINTS_FILE: failpoints } })
  const owner = ownerNumber(1)
  await service.host.ensurePort({ owner, project: 'default', actor: 'test', network: '', uid: 900_001, up: true, hostname: '' })
  await expect(service.host.releasePort({ owner })).rejects.toThrow()
  await using next = await world.start()
  await until('the port is gone', async () => (await next.networks.listPorts({})).ports.length === 0)
  expect((await next.audits.auditHost({})).findings).toEqual([])
})

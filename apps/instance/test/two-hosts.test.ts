import type { ExecInstanceRequest } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { expect, test } from 'vitest'
import { imageSpec, world } from './world.ts'

async function* echo(id: string): AsyncGenerator<Pick<ExecInstanceRequest, 'message'>> {
  yield { message: { case: 'start', value: { id, command: ['echo', 'far'], env: {}, user: '', workingDir: '', stdin: false } as never } }
}

test('an instance pinned to another host is made there, and answers through this one', async () => {
  await using a = await world()
  await using b = await world({}, a)
  const { hosts } = await a.hosts.listHosts({})
  expect(hosts).toHaveLength(2)
  const [here, there] = [hosts.find(({ local }) => local)?.id ?? '', hosts.find(({ local }) => !local)?.id ?? '']

  const { instance, operation } = await a.instances.createInstance({ name: 'far', spec: { ...imageSpec(), host: there } })
  expect(instance?.host).toBe(there)
  expect(await a.ended(operation)).toMatchObject({ stateName: 'DONE', host: there })
  expect([a.peers.held.size, b.peers.held.size]).toEqual([0, 3])
  expect((await b.instances.listInstances({})).instances.map(({ name }) => name)).toEqual(['far'])
  expect((await a.instances.listInstances({ filter: `host=${here}` })).instances).toEqual([])

  let out = ''
  for await (const { message } of a.instances.execInstance(echo('far')))
    if (message.case === 'stdout') out += Buffer.from(message.value).toString()
  expect(out).toBe('far\n')
  for (const side of [a, b]) expect((await side.audit.auditHost({})).findings).toEqual([])
  await expect(a.instances.createInstance({ spec: { ...imageSpec(), host: 'hst_none' } })).rejects.toMatchObject({
    reason: 'HOST_NOT_FOUND',
  })
})

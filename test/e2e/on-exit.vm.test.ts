import { InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { until } from '@berth/testing'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { exec } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'

let registry: TestRegistry
let system: TestSystem
let image: string

beforeAll(async () => {
  registry = await startRegistry()
  system = await startLightSystem({ portOffset: 14_700, env: { BERTH_INSECURE_REGISTRIES: registry.host } })
  image = await publish(registry, 'on-exit', busyboxImage().image)
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

/** An instance that runs this script as its workload, launched as a user would. */
async function launch(name: string, flags: string[], script: string): Promise<string> {
  const { code, stderr } = await system.cli('launch', '--name', name, ...flags, '--entrypoint', '/bin/sh', image, '--', '-c', script)
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return name
}

const status = async (id: string) => (await system.api.instances.getInstance({ id })).instance?.status

it('a VM whose workload has ended stays and says how, stops, is started again, or starts the workload again, as it was told', async () => {
  const count = 'echo run >> /tmp/runs; sleep 1; exit 3'
  const [keeps, stops, again, restarts] = await Promise.all([
    launch('keeps', [], count),
    launch('stops', ['--on-exit', 'stop', '--restart', 'never'], `sleep 2; ${count}`),
    launch('again', ['--on-exit', 'stop', '--restart', 'always'], 'sleep 2'),
    launch('restarts', ['--on-exit', 'restart'], count),
  ])
  await until(
    'the workload of each that has one run has ended',
    async () => {
      return (await status(keeps))?.workloadExit !== undefined && (await status(stops))?.state === InstanceState.STOPPED
    },
    30_000,
  )
  expect((await status(keeps))?.workloadExit?.exitCode).toBe(3)
  expect(await exec(system.api, keeps, ['cat', '/tmp/runs'])).toMatchObject({ code: 0, stdout: 'run\n' })
  const stopped = await status(stops)
  expect(stopped?.lastExit?.reason, stopped?.lastExit?.message).toBe('GUEST_POWEROFF')
  expect(stopped).toMatchObject({ workloadExit: { exitCode: 3 }, restartCount: 0 })
  expect((await system.cli('info', stops)).stdout).toContain('GUEST_POWEROFF')
  const runs = async () => (await exec(system.api, restarts, ['cat', '/tmp/runs'])).stdout.split('\n').length - 1
  await until('the workload has run three times', async () => (await runs()) >= 3, 30_000)
  expect(await status(restarts)).toMatchObject({ state: InstanceState.RUNNING, bootCount: 1 })
  await until('what always runs has been started again', async () => ((await status(again))?.bootCount ?? 0) >= 2, 60_000)
  expect((await status(again))?.restartCount).toBeGreaterThanOrEqual(1)
})

import { unavailable } from '@berth/errors'
import { type Instance, InstanceState, RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { until } from '@berth/testing'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { imageSpec, world } from '../../apps/instance/test/world.ts'

type World = Awaited<ReturnType<typeof world>>
type Happening = Parameters<World['recorder']['happen']>[1]

const exit: Happening = { kind: 'exited', known: true, code: 0, signal: 0, outOfMemory: false, startFailed: false, message: '' }
const killed: Happening = { ...exit, signal: 9 }

async function made(w: World, restartPolicy: RestartPolicy): Promise<string> {
  const { instance, operation } = await w.instances.createInstance({ spec: { ...imageSpec(), restartPolicy } })
  expect(await w.ended(operation)).toMatchObject({ stateName: 'DONE' })
  return instance?.id ?? ''
}

async function statusOf(w: World, id: string) {
  const { instance } = await w.instances.getInstance({ id })
  return (instance as Instance).status as NonNullable<Instance['status']>
}

const starts = async (w: World, id: string) =>
  (await w.recorder.events({ instanceId: id } as never, 1)).filter(({ kind }) => kind === 'started').length

const policies = { NEVER: RestartPolicy.NEVER, ON_FAILURE: RestartPolicy.ON_FAILURE, ALWAYS: RestartPolicy.ALWAYS } as const
const ends = {
  'a power-off by the guest': [{ kind: 'powered-off' }, exit],
  'a panic': [{ kind: 'panicked' }, exit],
  'a killed VMM': [killed],
  'a VMM out of memory': [{ ...killed, outOfMemory: true }],
  'an end that nobody saw': [{ ...exit, known: false }],
} as const satisfies Record<string, readonly Happening[]>
const reasons = ['GUEST_POWEROFF', 'GUEST_PANIC', 'VMM_KILLED', 'OUT_OF_MEMORY', 'UNKNOWN']
const cases = (Object.keys(policies) as (keyof typeof policies)[]).flatMap((policy) =>
  (Object.keys(ends) as (keyof typeof ends)[]).map((end, index) => ({
    policy,
    end,
    reason: reasons[index] as string,
    again: policy === 'ALWAYS' || (policy === 'ON_FAILURE' && index > 0),
  })),
)

describe('by its policy', () => {
  it('a VM is started again or left, and the end and its reason are told', async () => {
    await using w = await world({ BERTH_BOOT_SLOTS: '32' })
    await Promise.all(
      cases.map(async ({ policy, end, reason, again }) => {
        const what = `${policy} after ${end}`
        const id = await made(w, policies[policy])
        const crashedMs = Date.now()
        for (const event of ends[end]) w.recorder.happen(id, event)
        await until(`${what} is told`, async () => (await statusOf(w, id)).lastExit?.reason === reason)
        if (again) await until(`${what} starts again`, async () => (await statusOf(w, id)).state === InstanceState.RUNNING)
        const status = await statusOf(w, id)
        expect({ what, starts: await starts(w, id), restarts: status.restartCount, boots: status.bootCount }).toEqual({
          what,
          ...(again ? { starts: 2, restarts: 1, boots: 2 } : { starts: 1, restarts: 0, boots: 1 }),
        })
        if (again) expect(timestampMs(status.startTime as never) - crashedMs).toBeGreaterThanOrEqual(1_000)
        else expect([status.state, status.nextRestartTime, status.vmmPid]).toEqual([InstanceState.STOPPED, undefined, 0])
      }),
    )
  })

  it('a host that boots again starts once what is wanted on and may be started, and tells the reason', async () => {
    await using w = await world({ BERTH_BOOT_SLOTS: '32' })
    const [never, onFailure, always] = await Promise.all(Object.values(policies).map((policy) => made(w, policy)))
    const off = await made(w, RestartPolicy.ALWAYS)
    await w.ended((await w.instances.stopInstance({ id: off })).operation)
    await w.stop()
    process.env['BERTH_TEST_BOOT_ID'] = 'another-boot'
    try {
      await w.start()
      for (const id of [onFailure, always] as string[])
        await until('it runs again', async () => {
          const { state, bootCount } = await statusOf(w, id)
          return state === InstanceState.RUNNING && bootCount === 2
        })
      for (const id of [never, onFailure, always] as string[]) {
        const { lastExit } = await statusOf(w, id)
        expect([lastExit?.reason, lastExit?.exitCode]).toEqual(['HOST_REBOOT', undefined])
        expect(await starts(w, id)).toBe(id === never ? 1 : 2)
      }
      expect((await statusOf(w, never as string)).state).toBe(InstanceState.STOPPED)
      expect(await starts(w, off)).toBe(1)
    } finally {
      delete process.env['BERTH_TEST_BOOT_ID']
    }
  })
})

describe('a neighbour that does not answer', () => {
  /** From here on the network service answers nobody, until `back`; `after` says whether it has begun. */
  function silent(w: World, after: () => Promise<boolean> = () => Promise.resolve(true)) {
    const { ensure } = w.peers.networks
    const found = { tries: 0, back: () => void (w.peers.networks.ensure = ensure) }
    w.peers.networks.ensure = async (...given) => {
      if (!(await after())) return ensure(...given)
      found.tries += 1
      throw unavailable('UNAVAILABLE', 'nobody answers')
    }
    return found
  }

  it('is waited for by a start that the policy wants; it is no failed one', async () => {
    await using w = await world()
    const id = await made(w, RestartPolicy.ON_FAILURE)
    const network = silent(w, async () => (await statusOf(w, id)).nextRestartTime !== undefined)
    w.recorder.happen(id, killed)
    await until('it was tried in vain', () => network.tries >= 3)
    expect(await statusOf(w, id)).toMatchObject({ restartCount: 0, lastExit: { reason: 'VMM_KILLED' } })
    network.back()
    await until('it runs again', async () => (await statusOf(w, id)).state === InstanceState.RUNNING, 20_000)
    expect(await statusOf(w, id)).toMatchObject({ restartCount: 1, bootCount: 2, lastExit: { reason: 'VMM_KILLED' } })
  })

  it('does not keep back that a VM has ended, whose port goes down as soon as it can', async () => {
    await using w = await world()
    const id = await made(w, RestartPolicy.NEVER)
    const network = silent(w)
    w.recorder.happen(id, killed)
    await until('it was tried in vain', () => network.tries >= 3)
    const { state, lastExit } = await statusOf(w, id)
    expect([state, lastExit?.reason]).toEqual([InstanceState.STOPPED, 'VMM_KILLED'])
    network.back()
    const { ensure } = w.peers.networks
    const asked: unknown[] = []
    w.peers.networks.ensure = (holder, slot, wanted, signal) => {
      asked.push(wanted.up)
      return ensure(holder, slot, wanted, signal)
    }
    await until('its port is taken down', () => asked.length > 0, 20_000)
    expect(asked).toEqual([false])
    expect((await statusOf(w, id)).lastExit?.reason).toBe('VMM_KILLED')
  })
})

describe('the wait before the next start', () => {
  it('doubles, is told beforehand, and is the first again after a good while', async () => {
    await using w = await world()
    const id = await made(w, RestartPolicy.ON_FAILURE)
    for (const waitMs of [1_000, 2_000, 4_000]) {
      w.recorder.happen(id, killed)
      await until('the next start is told', async () => (await statusOf(w, id)).nextRestartTime !== undefined)
      const { nextRestartTime, lastExit } = await statusOf(w, id)
      expect(timestampMs(nextRestartTime as never) - timestampMs(lastExit?.time as never)).toBe(waitMs)
      await until('it runs again', async () => (await statusOf(w, id)).state === InstanceState.RUNNING)
      expect((await statusOf(w, id)).nextRestartTime).toBeUndefined()
    }
    expect((await statusOf(w, id)).restartCount).toBe(3)

    const longAgo = new Date(Date.now() - 11 * 60_000).toISOString()
    await w.database.sql(`update instance.instances set status = jsonb_set(status, '{startTime}', '"${longAgo}"') where id = '${id}'`)
    w.recorder.happen(id, killed)
    await until('the next start is told', async () => (await statusOf(w, id)).nextRestartTime !== undefined)
    const { nextRestartTime, lastExit } = await statusOf(w, id)
    expect(timestampMs(nextRestartTime as never) - timestampMs(lastExit?.time as never)).toBe(1_000)
    await until('it runs again', async () => (await statusOf(w, id)).state === InstanceState.RUNNING)
    expect((await statusOf(w, id)).restartCount).toBe(1)
  })

  it('grows as well while starts fail, for what somebody asked for too', async () => {
    await using w = await world()
    const id = await made(w, RestartPolicy.ON_FAILURE)
    const { ensure } = w.peers.images
    let tries = 0
    w.peers.images.ensure = () => {
      tries += 1
      return Promise.reject(unavailable('NO_ROOM', 'there is no room'))
    }
    const { operation } = await w.instances.restartInstance({ id })
    expect(await w.ended(operation)).toMatchObject({ stateName: 'FAILED', reason: 'NO_ROOM' })
    const thirdFailed = async () => {
      const { restartCount, nextRestartTime } = await statusOf(w, id)
      return restartCount === 2 && nextRestartTime !== undefined
    }
    await until('three starts have failed', thirdFailed, 20_000)
    const { nextRestartTime, lastExit, conditions } = await statusOf(w, id)
    expect(timestampMs(nextRestartTime as never) - timestampMs(lastExit?.time as never)).toBe(4_000)
    expect(conditions.find(({ type }) => type === 'Running')).toMatchObject({ reason: 'START_FAILED', message: 'there is no room' })
    expect(tries).toBeLessThanOrEqual(6)
    w.peers.images.ensure = ensure
    await until('it runs again', async () => (await statusOf(w, id)).state === InstanceState.RUNNING, 20_000)
  })
})

it('a VM that runs is not ended because something about it cannot be written or asked', async () => {
  await using w = await world()
  const id = await made(w, RestartPolicy.ALWAYS)
  const { vmmPid } = await statusOf(w, id)
  const { events } = w.recorder
  let failures = 0
  w.recorder.events = async (...given) => {
    if (failures >= 3) return events(...given)
    failures += 1
    throw failures === 2 ? new Error('something else') : unavailable('SHIM_UNREACHABLE', 'the shim does not answer')
  }
  for (const kind of ['paused', 'resumed'] as const) w.recorder.happen(id, { kind })
  await until('it was looked at in vain', () => failures >= 3)
  await until('it is known again', async () => (await statusOf(w, id)).state === InstanceState.RUNNING)
  expect(await starts(w, id)).toBe(1)
  const status = await statusOf(w, id)
  expect([status.vmmPid, status.bootCount, status.lastExit]).toEqual([vmmPid, 1, undefined])
})

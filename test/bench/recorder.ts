import type { Api } from '@berth/cli/api'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { ended, remove } from '../support/guest.ts'
import type { BenchContext } from './context.ts'
import { processesHere } from './processes.ts'
import type { Row } from './report.ts'
import { median, percentile } from './statistics.ts'
import { openWorld } from './world.ts'

/** VMs, ports and disks on paper; all else is real. A VM on paper needs no CPU, so as many may boot at once as come. */
const ON_PAPER = { BERTH_HYPERVISOR: 'recorder', BERTH_HOST_NETWORK: 'recorder', BERTH_STORAGE: 'recorder', BERTH_BOOT_SLOTS: '64' }
/** V8 has compiled what runs often by then. */
const WARM_UPS = 60
const SEQUENTIAL = 60
const WIDTH = 16
/** All alive at once, and a network has 253 addresses on a host. */
const MANY = 240

const goalMs = 40
const goalPerSecond = 100

/** What the control plane itself takes of a create: six processes, Postgres and NATS are real, only the host's adapters are recorded. */
export async function benchRecorder({ say, signal }: BenchContext): Promise<Row[]> {
  say('recorder: starting a system whose VMs, ports and disks are on paper')
  await using world = await openWorld(ON_PAPER)
  const { api } = world.system
  const one = creator(api, world.image)
  await wide(WIDTH, WARM_UPS, async () => remove(api, (await one()).id))

  const times: number[] = []
  const accepted: number[] = []
  let spent = 0
  for (let run = 0; run < SEQUENTIAL; run += 1) {
    signal.throwIfAborted()
    const before = cpuMs()
    const made = await one()
    spent += cpuMs() - before
    times.push(made.readyMs)
    accepted.push(made.acceptedMs)
    await remove(api, made.id)
  }
  say(`recorder: ${SEQUENTIAL} one after the other done, now ${WIDTH} at once`)

  const before = cpuMs()
  const start = performance.now()
  const ids: string[] = []
  await wide(WIDTH, MANY, async () => {
    signal.throwIfAborted()
    ids.push((await one()).id)
  })
  const seconds = (performance.now() - start) / 1000
  const spentWide = cpuMs() - before
  await wide(WIDTH, ids.length, async () => remove(api, ids.pop() ?? ''))

  const p50 = median(times)
  const rate = MANY / seconds
  return [
    {
      measure: 'on paper: create to Ready, p50',
      unit: 'ms',
      berth: p50,
      goal: { text: `≤ ${goalMs} ms`, met: p50 <= goalMs },
      note: `p90 ${percentile(times, 0.9).toFixed(0)} ms, answered after ${median(accepted).toFixed(0)} ms, CPU ${(spent / SEQUENTIAL).toFixed(0)} ms`,
      samples: { berth: times },
    },
    {
      measure: `on paper: creates per second, ${WIDTH} at once`,
      unit: '/s',
      berth: rate,
      goal: { text: `≥ ${goalPerSecond} /s`, met: rate >= goalPerSecond },
      note: `${MANY} creates, CPU ${(spentWide / MANY).toFixed(1)} ms each, of all processes together`,
    },
  ]
}

function creator(api: Api, image: string) {
  let count = 0
  return async () => {
    count += 1
    const boot = { case: 'image' as const, value: { image } }
    const start = performance.now()
    const { instance, operation } = await api.instances.createInstance({
      name: `paper-${count}`,
      requestId: crypto.randomUUID(),
      spec: { boot },
    })
    const acceptedMs = performance.now() - start
    await ended(api, operation, OperationState.DONE)
    return { id: instance?.id ?? '', acceptedMs, readyMs: performance.now() - start }
  }
}

/** Runs `work` so many times, so many at once. */
async function wide(width: number, times: number, work: () => Promise<void>): Promise<void> {
  let left = times
  const lane = async () => {
    while (left > 0) {
      left -= 1
      await work()
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
}

/** CPU time of every process of the system and of this one so far. */
function cpuMs(): number {
  return processesHere().reduce((sum, { cpuMs: ms }) => sum + ms, 0)
}

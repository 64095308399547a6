import type { Agent, ExecInput } from '../../apps/instance/src/domain/ports.ts'
import { create, exec, remove } from '../support/guest.ts'
import type { BenchContext } from './context.ts'
import type { Row } from './report.ts'
import { prepareRival } from './rival.ts'
import { median, percentile } from './statistics.ts'
import { openWorld } from './world.ts'

const WARM_UPS = 10
const RUNS = 100
const goalRatio = 3

/** `true` in a guest: through gateway and service with the CLI's client, against the agent's own socket in a VM alike. */
export async function benchExec({ say, signal }: BenchContext): Promise<Row[]> {
  say('exec: starting a system, a VM and its rival')
  await using world = await openWorld()
  using rival = await prepareRival(world)
  const { api } = world.system
  const { id } = await create(api, 'exec', world.image)
  const vm = await rival.start(signal)
  try {
    const berth: number[] = []
    const direct: number[] = []
    for (let run = -WARM_UPS; run < RUNS; run += 1) {
      signal.throwIfAborted()
      const through = await timed(async () => (await exec(api, id, ['true'])).code)
      const straight = await timed(() => execDirect(vm.agent, signal))
      if (run < 0) continue
      berth.push(through)
      direct.push(straight)
    }
    const ratio = median(berth) / median(direct)
    const p90 = (samples: number[]) => `${percentile(samples, 0.9).toFixed(0)} ms`
    return [
      {
        measure: 'exec of true',
        unit: 'ms',
        berth: median(berth),
        rival: median(direct),
        goal: { text: `ratio ≤ ${goalRatio}`, met: ratio <= goalRatio },
        note: `p90 ${p90(berth)}, direct ${p90(direct)}; ${RUNS} pairs`,
        samples: { berth, rival: direct },
      },
    ]
  } finally {
    await vm.stop()
    await remove(api, id)
  }
}

async function timed(run: () => Promise<number>): Promise<number> {
  const start = performance.now()
  const code = await run()
  if (code !== 0) throw new Error(`true ended with ${code}`)
  return performance.now() - start
}

async function execDirect(agent: Agent, signal: AbortSignal): Promise<number> {
  const start = { command: ['true'], env: [], user: '', workingDir: '', terminal: undefined, stdin: false }
  async function* inputs(): AsyncGenerator<ExecInput> {
    yield { kind: 'start', start }
  }
  for await (const output of agent.exec(inputs(), signal)) if (output.kind === 'exit') return output.code
  throw new Error('the stream ended without an exit')
}

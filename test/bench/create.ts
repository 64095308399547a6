import { create, remove } from '../support/guest.ts'
import type { BenchContext } from './context.ts'
import type { Row } from './report.ts'
import { prepareRival, type Rival } from './rival.ts'
import { halves, median, spread } from './statistics.ts'
import { openWorld, type World } from './world.ts'

const goalMs = 100

/** From the call to the agent's answer, on an image that is cached, against the same QEMU started by hand. */
export async function benchCreate({ pairs, say, signal }: BenchContext): Promise<Row[]> {
  say('create: starting a system')
  await using world = await openWorld()
  using rival = await prepareRival(world)
  const berth: number[] = []
  const byHand: number[] = []
  for (let pair = 0; pair < pairs; pair += 1) {
    const measures = [async () => berth.push(await measureBerth(world, pair)), async () => byHand.push(await measureRival(rival, signal))]
    // Who comes second finds warmer caches and the first one's leavings: they take turns.
    if (pair % 2 === 1) measures.reverse()
    for (const measure of measures) {
      signal.throwIfAborted()
      await measure()
    }
    say(`create: pair ${pair + 1} of ${pairs}: ${Math.round(berth.at(-1) ?? 0)} ms, by hand ${Math.round(byHand.at(-1) ?? 0)} ms`)
  }
  return rows(berth, byHand)
}

function rows(berth: number[], byHand: number[]): Row[] {
  const difference = median(berth) - median(byHand)
  const [even, odd] = halves(byHand)
  const share = (samples: number[]) => `± ${(spread(samples) * 100).toFixed(0)} %`
  const main: Row = {
    measure: 'create to agent ready',
    unit: 'ms',
    berth: median(berth),
    rival: median(byHand),
    goal: { text: `difference ≤ ${goalMs} ms`, met: difference <= goalMs },
    note: `single runs ${share(berth)}, by hand ${share(byHand)}; ${berth.length} pairs`,
    samples: { berth, rival: byHand },
  }
  if (odd.length === 0) return [main]
  return [main, { measure: 'noise: by hand against itself', unit: 'ms', berth: median(even), rival: median(odd) }]
}

async function measureBerth({ system, image }: World, run: number): Promise<number> {
  const start = performance.now()
  const { id } = await create(system.api, `create-${run}`, image)
  const readyMs = performance.now() - start
  await remove(system.api, id)
  return readyMs
}

async function measureRival(rival: Rival, signal: AbortSignal): Promise<number> {
  const vm = await rival.start(signal)
  await vm.stop()
  return vm.readyMs
}

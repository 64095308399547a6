import { again, defineSteps, type Next, type ReconcileContext } from '@berth/controller'
import type { InstanceRow } from '../store/tables.ts'
import type { InstanceContext } from './context.ts'
import type { Living } from './living.ts'
import type { Observed } from './observe.ts'
import { write } from './settle.ts'

const step = defineSteps('instance.stop', ['record', 'ask', 'kill'])
/** A guest that was asked has its agent's answer within this. */
const askMs = 2_000

/** Ends a VM: its guest is asked once, and after its grace the VMM is killed. That we began is written down first, so that the end is known for ours. */
export async function stop(
  ctx: InstanceContext,
  { row, observed, run }: { row: InstanceRow; observed: Observed; run: ReconcileContext },
): Promise<Next> {
  const living = observed.living as Living
  const { signal } = run
  if (observed.extra.stopBegun === null) {
    observed.extra.stopBegun = new Date()
    await step('record', signal, () => write(ctx, row, run, observed, 'instance.stop.record'))
  }
  const leftMs = observed.extra.stopBegun.getTime() + row.extra.stopGraceMs - Date.now()
  if (leftMs <= 0) {
    await step('kill', signal, () => living.vm.kill(signal))
    return again(0)
  }
  if (!living.stopAsked) {
    living.stopAsked = true
    await step('ask', signal, () => ask(living, leftMs, signal))
  }
  return again(leftMs)
}

/** By the agent, which ends the workload in its own way first; by the power button where there is none. Whom neither reaches is ended after its grace. */
async function ask({ vm, agents }: Living, graceMs: number, signal: AbortSignal): Promise<void> {
  const { agent } = agents.view
  try {
    if (agent) return await agent.shutdown(Math.floor(graceMs * 0.8), AbortSignal.any([signal, AbortSignal.timeout(askMs)]))
  } catch {
    // A guest that does not listen has a button still.
  }
  await vm.powerButton(signal).catch((error: unknown) => {
    if (signal.aborted) throw error
  })
}

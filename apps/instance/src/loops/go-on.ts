import { again, defineSteps, type Next, type ReconcileContext, settled } from '@berth/controller'
import type { OperationRow } from '@berth/db'
import { waitWith } from '../domain/agent-wait.ts'
import {
  agentDeadline,
  type InstanceStatus,
  isRunning,
  tellAgent,
  tellAgentMissing,
  tellLosses,
  tellRunning,
  tellWorkload,
} from '../domain/status.ts'
import type { InstanceRow } from '../store/tables.ts'
import { allOrFirstError } from './all.ts'
import { holderOf, nicSlot } from './bring-up.ts'
import type { InstanceContext } from './context.ts'
import type { Living } from './living.ts'
import type { Observed } from './observe.ts'
import { tell, write } from './settle.ts'

const names = ['boot', 'port', 'running', 'agent'] as const
const steps = { create: defineSteps('instance.create', names), start: defineSteps('instance.start', names) }

/** A session that is lost is opened again by its keeper; only one that stays away is told. */
const lostMs = 5_000

export type GoOn = { row: InstanceRow; observed: Observed; run: ReconcileContext; create: OperationRow | undefined }

/** A VM that lives and should: boots it, puts its ports up, waits for its agent, and tells what agent and workload say. */
export async function goOn(ctx: InstanceContext, what: GoOn): Promise<Next> {
  const { row, observed, run, create } = what
  const { status } = observed
  const living = observed.living as Living
  const step = steps[create ? 'create' : 'start']
  const operationId = run.operations.at(-1)?.id
  const wasRunning = isRunning(status)
  if (!wasRunning) {
    await step('boot', run.signal, () => living.vm.boot(run.signal))
    await step('port', run.signal, () => portsUp(ctx, row, run))
    tellRunning(status, Date.now())
    if (operationId) ctx.operations.progress(operationId, { stage: 'AGENT', done: 0, total: 0, unit: '' })
    // An agent that is there already is told in the same breath.
    await step('running', run.signal, async () => living.agents.view.agent || write(ctx, row, run, observed, 'instance.running'))
  }
  const leftMs = living.agents.view.agent ? 0 : patience(ctx, observed, living.agents.view.missingSinceMs)
  if (leftMs > 0) {
    // What the journal told is not kept back until the agent has something to say.
    if (wasRunning) await tell(ctx, row, run, observed)
    return again(leftMs)
  }
  if (operationId) await step('agent', run.signal, async () => tellGuest(status, living))
  else tellGuest(status, living)
  tellLosses(status, living.losses, Date.now())
  ctx.admission.leave(row.id)
  // What failed after this could no longer fail the operation: it is the last step and has no name.
  await write(ctx, row, run, observed, 'instance.ready', { at: 'running' })
  return settled()
}

/** What agent and workload say, or that nobody says anything. */
function tellGuest(status: InstanceStatus, { agents: { view } }: Living): void {
  if (view.agent && view.info) tellAgent(status, view.info, Date.now())
  else tellAgentMissing(status, Date.now())
  if (view.workload) tellWorkload(status, view.workload, Date.now())
}

/** Milliseconds until a missing agent is told: longer after a boot than after the loss of a session. */
function patience(ctx: InstanceContext, { status }: Observed, missingSinceMs: number): number {
  return Math.max(agentDeadline(status, waitWith(status.accelerator, ctx.agentWaitMs)), missingSinceMs + lostMs) - Date.now()
}

async function portsUp(ctx: InstanceContext, row: InstanceRow, { signal }: ReconcileContext): Promise<void> {
  const holder = holderOf(row)
  await allOrFirstError(
    row.spec.nics.map(({ network }, index) => ctx.peers.networks.ensure(holder, nicSlot(index), { network, up: true }, signal)),
  )
}

import { defineSteps, type Next, type ReconcileContext, settled } from '@berth/controller'
import type { OperationRow } from '@berth/db'
import { cancelled, fromStatus } from '@berth/errors'
import { diskSerial } from '../domain/guest-config.ts'
import type { VmPlace } from '../domain/machine.ts'
import { placeOf } from '../domain/place.ts'
import type { InstanceRow } from '../store/tables.ts'
import { allOrFirstError } from './all.ts'
import { holderOf, nicSlot } from './bring-up.ts'
import type { InstanceContext } from './context.ts'

const names = ['vmm', 'clear', 'network', 'volume', 'image', 'folder', 'row'] as const
const steps = { delete: defineSteps('instance.delete', names), undo: defineSteps('instance.undo', names) }
type Run = ReconcileContext

/** Deletes an instance: everything it has on the host and at the other services, then its row. */
export async function remove(ctx: InstanceContext, row: InstanceRow, run: Run): Promise<Next> {
  await takeDown(ctx, row, run, 'delete')
  await steps.delete('row', run.signal, () =>
    ctx.store.db.transaction('instance.delete.row', async (tx) => {
      await ctx.store.remove(tx, run.lease, row)
      for (const { id, kind } of run.operations) {
        if (kind === 'instance.delete') await ctx.operations.finish(tx, id, 'DONE')
        else await ctx.operations.finish(tx, id, 'CANCELLED', cancelled('RESOURCE_DELETED', 'the instance was deleted'))
      }
    }),
  )
  return settled()
}

/** Undoes a create that failed or was cancelled; only its operation remains. */
export async function undo(ctx: InstanceContext, row: InstanceRow, run: Run, create: OperationRow): Promise<Next> {
  await takeDown(ctx, row, run, 'undo')
  const { failure } = row.extra
  await steps.undo('row', run.signal, () =>
    ctx.store.db.transaction('instance.create.undone', async (tx) => {
      await ctx.store.remove(tx, run.lease, row)
      if (failure) await ctx.operations.finish(tx, create.id, 'FAILED', fromStatus(failure))
      else await ctx.operations.finish(tx, create.id, 'CANCELLED', cancelled('OPERATION_CANCELLED', 'the operation was cancelled'))
      for (const { id } of run.operations.filter((other) => other.id !== create.id))
        await ctx.operations.finish(tx, id, 'CANCELLED', cancelled('RESOURCE_DELETED', 'the creation of the instance was undone'))
    }),
  )
  return settled()
}

/** In the reverse order of a create; each step also when an earlier try did it. */
async function takeDown(ctx: InstanceContext, row: InstanceRow, run: Run, why: keyof typeof steps): Promise<void> {
  const { signal } = run
  const step = steps[why]
  const { images, volumes, networks } = ctx.peers
  const place = placeOf({ id: row.id, uid: row.extra.uid }, ctx.folders)
  const holder = holderOf(row)
  ctx.admission.leave(row.id)
  ctx.holdNothing.delete(row.id)
  await step('vmm', signal, () => kill(ctx, row, run, place))
  await step('clear', signal, () => ctx.hypervisor.clear(place, signal))
  await step('network', signal, () => allOrFirstError(row.spec.nics.map((_, index) => networks.release(holder, nicSlot(index), signal))))
  await step('volume', signal, () =>
    allOrFirstError(
      ['scratch', ...row.spec.disks.map((_, index) => diskSerial(index))].map((slot) => volumes.release(holder, slot, signal)),
    ),
  )
  await step('image', signal, () => images.release(holder, signal))
  await step('folder', signal, () => ctx.files.remove(place))
}

async function kill(ctx: InstanceContext, row: InstanceRow, { signal }: Run, place: VmPlace): Promise<void> {
  const living = await ctx.living.look(place, row.extra.journalSeq, signal, { insist: true })
  await living?.vm.kill(signal)
}

/** Takes back what only a living VM may hold: its ports go down, its disks' grants end. */
export async function detach(ctx: InstanceContext, row: InstanceRow, { signal }: Run, place: VmPlace): Promise<void> {
  const { volumes, networks } = ctx.peers
  const holder = holderOf(row)
  await ctx.hypervisor.clear(place, signal)
  await allOrFirstError(row.spec.nics.map(({ network }, index) => networks.ensure(holder, nicSlot(index), { network, up: false }, signal)))
  await allOrFirstError(
    ['scratch', ...row.spec.disks.map((_, index) => diskSerial(index))].map((slot) => volumes.detach(holder, slot, signal)),
  )
}

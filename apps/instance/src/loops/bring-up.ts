import { defineSteps, type ReconcileContext } from '@berth/controller'
import { together } from '@berth/db'
import { diskSerial, guestConfig, guestConfigBytes } from '../domain/guest-config.ts'
import type { Machine, MachineDisk } from '../domain/machine.ts'
import type { Holder, KernelAnswer, PendingImage, PortAnswer, ReadyImage } from '../domain/peers.ts'
import { restartsSoFar } from '../domain/decide.ts'
import { noteParts } from '../domain/status.ts'
import type { InstanceRow } from '../store/tables.ts'
import type { InstanceContext } from './context.ts'
import { allOrFirstError } from './all.ts'
import type { Living } from './living.ts'
import type { Observed } from './observe.ts'
import { beginAll } from './settle.ts'

const names = ['image', 'kernel', 'volume', 'network', 'record', 'config', 'vmm'] as const
/** The same steps, told apart by what they are for: a create is undone, a start is not. */
const steps = { create: defineSteps('instance.create', names), start: defineSteps('instance.start', names) }

/** `quiet` keeps the console for what matters; `panic=1` reboots a guest whose VMM has no pvpanic driver in reach. */
const kernelCommandLine = 'console=ttyS0 quiet panic=1'

/** What VMs get may still be being tried when the first one comes. */
const probePatienceMs = 12_000

export type BringUp = {
  row: InstanceRow
  observed: Observed
  run: ReconcileContext
  purpose: 'create' | 'start'
  byPolicy: boolean
  operationId: string | undefined
}
type Parts = { image: ReadyImage; kernel: KernelAnswer; scratchPath: string; diskPaths: string[]; ports: PortAnswer[] }

/**
 * Gathers what the VM needs from the other services, writes down what it will be, and makes the VMM, held. Every step may be done again.
 *
 * @returns the VM and the row as it was written before; or how far the image's pull is, to come back later
 */
export async function bringUp(ctx: InstanceContext, what: BringUp): Promise<{ row: InstanceRow; living: Living } | PendingImage> {
  const { row, observed, run } = what
  if (!observed.living) await ctx.strangers.refuse()
  const parts = await gather(ctx, what)
  if ('operationId' in parts) return parts
  stage(ctx, what, 'BOOT')
  const step = steps[what.purpose]
  const written = await step('record', run.signal, () => record(ctx, what, parts))
  const config = guestConfigBytes(
    guestConfig({ id: row.id, name: row.name, spec: row.spec, image: parts.image.config, ports: parts.ports }),
  )
  const configPath = await step('config', run.signal, () => ctx.files.writeConfig(observed.place, config))
  const machine = machineOf(what, parts, configPath)
  const vm = await step('vmm', run.signal, () => ctx.hypervisor.start(machine, run.signal))
  return { row: written, living: ctx.living.take(vm, observed.extra.journalSeq) }
}

async function gather(ctx: InstanceContext, what: BringUp): Promise<Parts | PendingImage> {
  const { row, run } = what
  const { images, volumes, networks } = ctx.peers
  const { spec } = row
  const { signal } = run
  const step = steps[what.purpose]
  const holder = holderOf(row)
  // A pull that goes on has been told already, with what it has fetched.
  if (run.operations.at(-1)?.stage !== 'PULL') stage(ctx, what, 'PULL')
  const boot = spec.boot.value ?? { image: '', kernel: '' }
  const image = step('image', signal, () => images.ensure(holder, boot.image, signal))
  const kernel = step('kernel', signal, () => images.ensureKernel(holder, boot.kernel, signal))
  const disks = step('volume', signal, () =>
    allOrFirstError([
      volumes.ensure(holder, 'scratch', { scratchBytes: Number(spec.scratchBytes) }, signal),
      ...spec.disks.map(({ volume, readOnly }, index) => volumes.ensure(holder, diskSerial(index), { volume, readOnly }, signal)),
    ]),
  )
  const ports = step('network', signal, () =>
    allOrFirstError(spec.nics.map(({ network }, index) => networks.ensure(holder, nicSlot(index), { network, up: false }, signal))),
  )
  void image.then((found) => 'rootPath' in found && stage(ctx, what, 'VOLUME')).catch(() => {})
  void Promise.all([image, disks])
    .then(([found]) => 'rootPath' in found && stage(ctx, what, 'NETWORK'))
    .catch(() => {})
  const [foundImage, foundKernel, [scratchPath, ...diskPaths], foundPorts] = await allOrFirstError([image, kernel, disks, ports])
  if ('operationId' in foundImage) {
    stage(ctx, what, 'PULL', foundImage)
    return foundImage
  }
  return { image: foundImage, kernel: foundKernel, scratchPath, diskPaths, ports: foundPorts }
}

/** Writes down, before the VMM is made, what it is made of and that this start is the answer to what was asked. */
async function record(ctx: InstanceContext, { row, observed, run, purpose, byPolicy }: BringUp, parts: Parts): Promise<InstanceRow> {
  const { status, extra } = observed
  const { image, kernel, ports } = parts
  noteParts(status, { image, kernel, ports, facts: await ctx.hypervisor.facts(probePatienceMs) })
  status.observedRestartGeneration = row.spec.restartGeneration
  status.restartCount = byPolicy ? restartsSoFar(status) + 1 : 0
  return ctx.store.db.transaction(`instance.${purpose}.record`, async (tx) => {
    const [written] = await together([ctx.store.updateStatus(tx, run.lease, row, status, extra), beginAll(ctx, tx, run)])
    return written
  })
}

function machineOf({ row, observed }: BringUp, { image, kernel, scratchPath, diskPaths, ports }: Parts, configPath: string): Machine {
  const disks: MachineDisk[] = [
    { serial: 'root', path: image.rootPath, readOnly: true },
    { serial: 'scratch', path: scratchPath, readOnly: false },
    { serial: 'config', path: configPath, readOnly: true },
    ...diskPaths.map((path, index) => ({ serial: diskSerial(index), path, readOnly: row.spec.disks[index]?.readOnly ?? true })),
  ]
  return {
    ...observed.place,
    vcpus: row.spec.vcpus,
    memoryBytes: Number(row.spec.memoryBytes),
    kernelPath: kernel.kernelPath,
    initramfsPath: kernel.initramfsPath,
    kernelCommandLine,
    disks,
    nics: ports.map(({ tap, guest }) => ({ tap, macAddress: guest.macAddress })),
  }
}

/** Whose things they are, for the other services. */
export function holderOf(row: InstanceRow): Holder {
  return { id: row.id, name: row.name, project: row.project, actor: row.creator, uid: row.extra.uid }
}

/** Slot of the n-th interface. */
export function nicSlot(index: number): string {
  return `nic${index}`
}

/** Says where the operation is. */
function stage(ctx: InstanceContext, { operationId }: BringUp, name: string, bytes = { done: 0, total: 0 }): void {
  const { done, total } = bytes
  if (operationId) ctx.operations.progress(operationId, { stage: name, done, total, unit: total > 0 ? 'bytes' : '' })
}

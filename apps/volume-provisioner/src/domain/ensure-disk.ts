import { aborted, dataLoss, unavailable } from '@berth/errors'
import { type Volume, VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import type { Owner } from './access.ts'
import type { Claim, ClaimedDisk, Claims, StorageBackend, Step } from './ports.ts'
import { checkSize } from './size.ts'

export type EnsureContext = {
  claims: Claims
  /**
   * Lets one at a time write what an owner has, in the order of coming: an owner that gives up releases while its ensure may still be writing, and the
   * release must come after it.
   */
  inTurn<T>(owner: Owner, signal: AbortSignal, write: () => Promise<T>): Promise<T>
  backend: StorageBackend
  /** Runs the owner's own reconcile of a disk and waits for it. */
  reconcileNow(disk: ClaimedDisk, signal: AbortSignal): Promise<void>
  /** Ends the disk's present pass, which may be stuck in a step that is not wanted any more. */
  interrupt(disk: ClaimedDisk, reason: Error): void
  ensureStep: Step<'allocate'>
  releaseStep: Step<'mark'>
}

/** What disk is wanted: one of the owner's own, or a volume by id or name. */
export type Source = { case: 'scratch'; sizeBytes: number } | { case: 'volume'; reference: string }
export type Ensured = { volume: Volume; path: string; readOnly: boolean }

/**
 * Makes or takes a disk for its owner and hands it to the VM's uid. Asking again with the same owner gives the same disk.
 *
 * @throws NotFound, InvalidArgument(`SIZE_NOT_ALIGNED`), FailedPrecondition(`VOLUME_IN_USE` | `VOLUME_ON_OTHER_HOST` | `SLOT_TAKEN` | `SIZE_DIFFERS`),
 * ResourceExhausted(`POOL_FULL`), DataLoss(`VOLUME_LOST`), Aborted(`VOLUME_DELETING`)
 */
export async function ensureDisk(ctx: EnsureContext, claim: Claim, source: Source, signal: AbortSignal): Promise<Ensured> {
  if (source.case === 'scratch') checkSize(source.sizeBytes, 'scratch.size_bytes')
  const claimed = () =>
    source.case === 'scratch' ? ctx.claims.scratch(claim, source.sizeBytes) : ctx.claims.volume(claim, source.reference)
  const disk = await ctx.ensureStep('allocate', signal, () => ctx.inTurn(claim.owner, signal, claimed))
  await ctx.reconcileNow(disk, signal)
  const volume = await ctx.claims.state(disk)
  return { volume: usable(volume, claim.owner), path: ctx.backend.pathOf(disk.id), readOnly: claim.readOnly }
}

function usable(volume: Volume | undefined, { kind, id, slot }: Owner): Volume {
  const state = volume?.status?.state
  if (volume && state === VolumeState.READY) return volume
  const why = volume?.status?.conditions.find(({ type }) => type === 'Ready')
  if (volume && state === VolumeState.FAILED)
    throw dataLoss('VOLUME_LOST', `volume “${volume.name}”: ${why?.message}`, { metadata: { volume: volume.id } })
  throw unavailable('VOLUME_NOT_READY', `the disk of ${kind} ${id} (${slot}) is not ready yet`, { retryAfterMs: 200 })
}

/** Takes a disk back from its owner; with `remove`, its scratch disk goes too. Nothing when it has none. */
export async function releaseDisk(ctx: EnsureContext, owner: Owner, options: { remove: boolean }, signal: AbortSignal): Promise<void> {
  const disk = await ctx.releaseStep('mark', signal, () => ctx.inTurn(owner, signal, () => ctx.claims.release(owner, options)))
  if (!disk) return
  ctx.interrupt(disk, aborted('VOLUME_RELEASED', 'the disk was released meanwhile'))
  await ctx.reconcileNow(disk, signal)
}

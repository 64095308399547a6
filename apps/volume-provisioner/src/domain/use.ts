import { failedPrecondition } from '@berth/errors'
import { type Attachment, type Owner, sameOwner } from './access.ts'

/**
 * Refuses a second writer, and a writer and readers together.
 *
 * @throws FailedPrecondition(`VOLUME_IN_USE`) naming who has it
 */
export function refuseConflict(volume: string, attachments: Attachment[], wanted: { owner: Owner; readOnly: boolean }): void {
  const other = attachments.find(({ owner, readOnly }) => !sameOwner(owner, wanted.owner) && !(readOnly && wanted.readOnly))
  if (other) throw inUse(volume, other)
}

/**
 * Refuses to delete what a VM still has.
 *
 * @throws FailedPrecondition(`VOLUME_IN_USE`) naming who has it
 */
export function refuseUsed(volume: string, attachments: Attachment[]): void {
  const [first] = attachments
  if (first) throw inUse(volume, first)
}

function inUse(volume: string, { owner, readOnly }: Attachment) {
  const message = `volume “${volume}” is in use by ${owner.kind} ${owner.id} (${owner.slot}, ${readOnly ? 'read only' : 'writing'})`
  return failedPrecondition('VOLUME_IN_USE', message, { metadata: { volume, [owner.kind]: owner.id, slot: owner.slot } })
}

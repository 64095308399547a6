import { failedPrecondition } from '@berth/errors'
import type { Hypervisor } from '../domain/ports.ts'
import { shortName } from '../domain/place.ts'
import { auditedRows } from '../store/audited.ts'
import type { InstanceStore } from '../store/tables.ts'

/** VMs of this host that no row knows: a database restored from a copy has forgotten them, and with them whose uids and addresses they hold. */
export type Strangers = {
  /** @throws FailedPrecondition(`UNKNOWN_VMS`) while there is one */
  refuse(): Promise<void>
}

/**
 * Looks until there are none, and then no more: later ones cannot come, since a process whose database goes back loses its lease. What lives must have
 * been there before and after the rows were read, so that a VM that comes or goes meanwhile is none.
 */
export function strangersOf({ hypervisor, store }: { hypervisor: Pick<Hypervisor, 'found'>; store: InstanceStore }): Strangers {
  let none = false
  const living = async () => (await hypervisor.found()).filter(({ kind }) => kind === 'process')
  return {
    async refuse() {
      if (none) return
      const before = new Set((await living()).map(({ short }) => short))
      const known = new Set(before.size === 0 ? [] : (await auditedRows(store)).map(({ id }) => shortName(id)))
      const suspects = [...before].filter((short) => !known.has(short))
      const strangers = suspects.length === 0 ? [] : (await living()).filter(({ short }) => suspects.includes(short))
      none = strangers.length === 0
      if (none) return
      const names = strangers.map(({ name }) => name).join(', ')
      throw failedPrecondition('UNKNOWN_VMS', `VMs run here that no instance has, and may hold what this one would get: ${names}`)
    },
  }
}

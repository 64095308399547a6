import { inventoryChanges } from './inventory.ts'
import type { PciBus, PciNaming } from './pci.ts'
import type { DeviceRows } from './ports.ts'

export type Inventory = {
  bus: PciBus
  naming: PciNaming
  rows: DeviceRows
  hostId: string
  /** Brings the rows of this host to what its bus shows; answers how many were written. Those who ask at the same time share one scan that begins after they asked. */
  rescan(): Promise<number>
}

/** The inventory of this host. Scans never overlap: two would both find the same device new. */
export function createInventory(parts: Omit<Inventory, 'rescan'>): Inventory {
  let running: Promise<unknown> = Promise.resolve()
  let waiting: Promise<number> | undefined
  const scan = async (): Promise<number> => {
    waiting = undefined
    const [known, found] = await Promise.all([parts.rows.onHost(parts.hostId), parts.bus.scan()])
    const changes = inventoryChanges(known, found, parts.naming)
    if (changes.length > 0) await parts.rows.write(changes)
    return changes.length
  }
  return {
    ...parts,
    rescan() {
      if (waiting) return waiting
      const next = running.then(scan, scan)
      waiting = next
      running = next.catch(() => undefined)
      return next
    },
  }
}

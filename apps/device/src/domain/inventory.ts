import type { PciFunction, PciNames, PciNaming } from './pci.ts'

/** What a row keeps beside the public status. */
export type DeviceFacts = Pick<PciFunction, 'virtualFunctions' | 'physicalFunction' | 'hostUses'>

/** A device as its row says it is. */
export type KnownDevice = PciFunction & PciNames & { id: string; present: boolean }

/** What must be written so that the rows say what the bus does. */
export type InventoryChange =
  | { type: 'appeared'; device: PciFunction & PciNames }
  | { type: 'changed'; id: string; device: PciFunction & PciNames }
  | { type: 'gone'; id: string }

/** Compares the rows of a host with its bus. A device that was taken out keeps its row and its id: it may come back. */
export function inventoryChanges(known: KnownDevice[], found: PciFunction[], naming: PciNaming): InventoryChange[] {
  const byAddress = new Map(known.map((device) => [device.address, device]))
  const there = new Set(found.map(({ address }) => address))
  return [
    ...found.flatMap((fn): InventoryChange[] => {
      const row = byAddress.get(fn.address)
      const device = { ...fn, ...naming.namesOf(fn) }
      if (!row) return [{ type: 'appeared', device }]
      return row.present && same(row, device) ? [] : [{ type: 'changed', id: row.id, device }]
    }),
    ...known.filter(({ address, present }) => present && !there.has(address)).map(({ id }): InventoryChange => ({ type: 'gone', id })),
  ]
}

/** One disagreement between rows and bus. */
export type InventoryFinding = { side: 'HOST_ONLY' | 'DATABASE_ONLY' | 'MISMATCH'; name: string; resourceId: string; message: string }

/** What `inventoryChanges` would do, as findings of an audit. */
export function inventoryFindings(known: KnownDevice[], found: PciFunction[], naming: PciNaming): InventoryFinding[] {
  return inventoryChanges(known, found, naming).map((change) => {
    if (change.type === 'appeared')
      return { side: 'HOST_ONLY', name: change.device.address, resourceId: '', message: 'is on the bus and in no row' }
    const address = known.find(({ id }) => id === change.id)?.address ?? ''
    if (change.type === 'gone')
      return { side: 'DATABASE_ONLY', name: address, resourceId: change.id, message: 'is said to be present and is not on the bus' }
    return { side: 'MISMATCH', name: address, resourceId: change.id, message: 'is not what its row says' }
  })
}

const shown = [
  'vendorId',
  'deviceId',
  'classId',
  'driver',
  'iommuGroup',
  'physicalFunction',
  'vendorName',
  'deviceName',
  'className',
] as const
const lists = ['virtualFunctions', 'hostUses'] as const

function same(a: PciFunction & PciNames, b: PciFunction & PciNames): boolean {
  return shown.every((key) => a[key] === b[key]) && lists.every((key) => a[key].join('\n') === b[key].join('\n'))
}

import { expect, it } from 'vitest'
import type { InventoryChange } from './inventory.ts'
import type { PciFunction } from './pci.ts'
import { createInventory } from './rescan.ts'

const naming = { namesOf: () => ({ vendorName: '', deviceName: '', className: '' }) }
const device: PciFunction = {
  address: '0000:00:02.0',
  vendorId: '1af4',
  deviceId: '1041',
  classId: '020000',
  driver: '',
  iommuGroup: '',
  virtualFunctions: [],
  physicalFunction: '',
  hostUses: [],
}

function world() {
  const written: InventoryChange[][] = []
  let scans = 0
  const rows = { onHost: async () => [], write: async (changes: InventoryChange[]) => void written.push(changes) }
  const bus = { scan: async () => (scans++, [device]) }
  return { written, scans: () => scans, inventory: createInventory({ bus, naming, rows, hostId: 'hst_a' }), bus }
}

it('shares one scan among those who ask at the same time', async () => {
  const { inventory, scans, written } = world()
  expect(await Promise.all([inventory.rescan(), inventory.rescan(), inventory.rescan()])).toEqual([1, 1, 1])
  expect(scans()).toBe(1)
  expect(written).toHaveLength(1)
})

it('begins another for who asks while one runs: it may have looked too early', async () => {
  const { inventory, scans } = world()
  const first = inventory.rescan()
  await Promise.resolve()
  await Promise.resolve()
  const second = inventory.rescan()
  await Promise.all([first, second])
  expect(scans()).toBe(2)
})

it('goes on after a scan that failed', async () => {
  const { inventory, bus } = world()
  const scan = bus.scan
  bus.scan = async () => Promise.reject(new Error('sysfs is away'))
  await expect(inventory.rescan()).rejects.toThrow('sysfs is away')
  bus.scan = scan
  expect(await inventory.rescan()).toBe(1)
})

import { expect, it } from 'vitest'
import { inventoryChanges, inventoryFindings, type KnownDevice } from './inventory.ts'
import type { PciFunction } from './pci.ts'

const naming = { namesOf: () => ({ vendorName: 'V', deviceName: 'D', className: 'C' }) }
const fn = (address: string, given: Partial<PciFunction> = {}): PciFunction => ({
  address,
  vendorId: '1af4',
  deviceId: '1041',
  classId: '020000',
  driver: 'virtio-pci',
  iommuGroup: '',
  virtualFunctions: [],
  physicalFunction: '',
  hostUses: [],
  ...given,
})
const row = (address: string, given: Partial<KnownDevice> = {}): KnownDevice => ({
  ...fn(address),
  ...naming.namesOf(),
  id: `dev_${address}`,
  present: true,
  ...given,
})
const lines = (known: KnownDevice[], found: PciFunction[]) =>
  inventoryChanges(known, found, naming).map((change) =>
    change.type === 'appeared' ? `appeared ${change.device.address}` : `${change.type} ${change.id}`,
  )

it('writes nothing when rows and bus agree', () => {
  expect(lines([row('a'), row('gone', { present: false })], [fn('a')])).toEqual([])
})

it('notes what appears, changes, goes and comes back', () => {
  const known = [row('a'), row('b'), row('c'), row('d', { present: false })]
  expect(lines(known, [fn('a', { driver: 'vfio-pci' }), fn('b'), fn('d'), fn('e')])).toEqual([
    'changed dev_a',
    'changed dev_d',
    'appeared e',
    'gone dev_c',
  ])
})

it('notes a change of what the status does not show', () => {
  expect(lines([row('a')], [fn('a', { hostUses: ['carries swap'] })])).toEqual(['changed dev_a'])
  expect(lines([row('a')], [fn('a', { virtualFunctions: ['b'] })])).toEqual(['changed dev_a'])
})

it('tells the audit of each disagreement', () => {
  const findings = inventoryFindings([row('a'), row('b')], [fn('a', { driver: '' }), fn('e')], naming)
  expect(findings.map(({ side, name }) => `${side} ${name}`)).toEqual(['MISMATCH a', 'HOST_ONLY e', 'DATABASE_ONLY b'])
})

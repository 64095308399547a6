import { expect, it } from 'vitest'
import { groupOf, obstaclesOf } from './obstacles.ts'
import type { PciFunction } from './pci.ts'

type Candidate = PciFunction & { present: boolean }
const base: Candidate = {
  address: '0000:01:00.0',
  vendorId: '10de',
  deviceId: '2204',
  classId: '030000',
  driver: '',
  iommuGroup: '1',
  virtualFunctions: [],
  physicalFunction: '',
  hostUses: [],
  present: true,
}
const other = (given: Partial<Candidate>): Candidate => ({ ...base, address: '0000:01:00.1', ...given })
const reasons = (given: Partial<Candidate>, others: Candidate[] = []) =>
  obstaclesOf({ ...base, ...given }, others).map(({ reason }) => reason)

it('finds nothing in the way of a device that is alone in its group', () => {
  expect(obstaclesOf(base, [base])).toEqual([])
})

it('says only that a device is gone when it is: the rest is not known', () => {
  expect(reasons({ present: false, iommuGroup: '', hostUses: ['carries swap'] })).toEqual(['NOT_PRESENT'])
})

it('says that there is no IOMMU together with everything else', () => {
  const given = { iommuGroup: '', hostUses: ['carries swap', 'carries the mounted file system /'], virtualFunctions: ['0000:01:02.0'] }
  const found = obstaclesOf({ ...base, ...given }, [])
  expect(found.map(({ reason }) => reason)).toEqual(['NO_IOMMU', 'HOST_CRITICAL_DEVICE', 'ACTIVE_VFS'])
  expect(found[1]?.message).toBe('the host needs 0000:01:00.0: it carries swap; it carries the mounted file system /')
})

it('accepts neighbours that a VM may share the group with, and names the others', () => {
  const harmless = ['', 'vfio-pci', 'pci-stub', 'pcieport'].map((driver) => other({ driver }))
  expect(reasons({}, harmless)).toEqual([])
  const [found] = obstaclesOf(base, [...harmless, other({ address: '0000:01:00.2', driver: 'xhci_hcd' })])
  expect(found).toMatchObject({ reason: 'GROUP_NOT_VIABLE', addresses: ['0000:01:00.2'] })
  expect(found?.message).toContain('0000:01:00.2 (xhci_hcd)')
})

it('counts neither gone functions nor those of no group as neighbours', () => {
  const others = [base, other({ present: false, driver: 'igb' }), other({ iommuGroup: '2', driver: 'igb' })]
  expect(groupOf(base, others)).toEqual([])
  expect(groupOf({ ...base, iommuGroup: '' }, [other({ iommuGroup: '' })])).toEqual([])
})

it('refuses bridges but not chips that only call themselves other bridges', () => {
  expect(reasons({ classId: '060400' })).toEqual(['BRIDGE'])
  expect(reasons({ classId: '068000' })).toEqual([])
})

import type { PciFunction } from './pci.ts'

/** Why a device cannot be given to a VM. */
export type ObstacleReason = 'NO_IOMMU' | 'GROUP_NOT_VIABLE' | 'HOST_CRITICAL_DEVICE' | 'BRIDGE' | 'ACTIVE_VFS' | 'NOT_PRESENT'
export type Obstacle = { reason: ObstacleReason; message: string; addresses: string[] }

type Candidate = PciFunction & { present: boolean }

// Drivers that leave a group usable by a VM; the kernel itself accepts bridges under pcieport (vfio_dev_viable).
const harmlessDrivers = new Set(['', 'vfio-pci', 'pci-stub', 'pcieport'])

/**
 * Every reason at once why `device` cannot be given to a VM; none: it can.
 *
 * @param others all functions of the same host, with or without `device`
 */
export function obstaclesOf(device: Candidate, others: Candidate[]): Obstacle[] {
  if (!device.present) return [{ reason: 'NOT_PRESENT', message: `${device.address} is not on its host at present`, addresses: [] }]
  return [bridge(device), noIommu(device), group(device, others), hostCritical(device), activeFunctions(device)].filter(
    (obstacle) => obstacle !== undefined,
  )
}

/** The other functions of a device's IOMMU group: they can only go to a VM together. */
export function groupOf(device: Candidate, others: Candidate[]): Candidate[] {
  if (!device.iommuGroup) return []
  return others.filter(({ address, iommuGroup, present }) => present && iommuGroup === device.iommuGroup && address !== device.address)
}

function bridge({ address, classId }: Candidate): Obstacle | undefined {
  // 0x0680 is "other bridge": chips such as NVSwitch that carry no bus.
  if (!classId.startsWith('06') || classId.startsWith('0680')) return undefined
  return { reason: 'BRIDGE', message: `${address} is a bridge (class ${classId}): other functions hang on it`, addresses: [] }
}

function noIommu({ address, iommuGroup }: Candidate): Obstacle | undefined {
  if (iommuGroup) return undefined
  const message = `${address} is in no IOMMU group: the IOMMU is missing or switched off, so that the device could reach the host's memory`
  return { reason: 'NO_IOMMU', message, addresses: [] }
}

function group(device: Candidate, others: Candidate[]): Obstacle | undefined {
  const bound = groupOf(device, others).filter(({ driver }) => !harmlessDrivers.has(driver))
  if (bound.length === 0) return undefined
  const who = bound.map(({ address, driver }) => `${address} (${driver})`).join(', ')
  const message = `IOMMU group ${device.iommuGroup} also holds functions that the host uses: ${who}`
  return { reason: 'GROUP_NOT_VIABLE', message, addresses: bound.map(({ address }) => address) }
}

function hostCritical({ address, hostUses }: Candidate): Obstacle | undefined {
  if (hostUses.length === 0) return undefined
  return { reason: 'HOST_CRITICAL_DEVICE', message: `the host needs ${address}: it ${hostUses.join('; it ')}`, addresses: [] }
}

function activeFunctions({ address, virtualFunctions }: Candidate): Obstacle | undefined {
  if (virtualFunctions.length === 0) return undefined
  const message = `${address} has ${virtualFunctions.length} virtual functions, which would vanish with it`
  return { reason: 'ACTIVE_VFS', message, addresses: virtualFunctions }
}

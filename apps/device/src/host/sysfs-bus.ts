import path from 'node:path'
import type { PciBus, PciFunction } from '../domain/pci.ts'
import { hostUses, type UseSources } from './host-uses.ts'
import { linkName, namesIn, textOf } from './read.ts'

/**
 * The PCI functions below a sysfs.
 *
 * @param sources.sys root of sysfs, `/sys` or a recorded tree
 * @param sources.proc root of procfs; mounts and routes are those of its process 1, so that a namespace of our own hides nothing
 */
export function sysfsBus(sources: UseSources): PciBus {
  const devices = path.join(sources.sys, 'bus/pci/devices')
  return {
    async scan() {
      const [addresses, uses] = await Promise.all([namesIn(devices), hostUses(sources)])
      const found: PciFunction[] = []
      for (const address of addresses) {
        const fn = await readFunction(path.join(devices, address), address)
        if (fn) found.push({ ...fn, hostUses: [...fn.hostUses, ...(uses.get(address) ?? [])] })
      }
      return found
    },
  }
}

async function readFunction(folder: string, address: string): Promise<PciFunction | undefined> {
  const attribute = (name: string) => textOf(path.join(folder, name))
  const link = (name: string) => linkName(path.join(folder, name))
  const [vendor, device, classId, bootVga] = await Promise.all(['vendor', 'device', 'class', 'boot_vga'].map(attribute))
  // Unplugged between listing and reading.
  if (!vendor || !device || !classId) return undefined
  const [driver = '', iommuGroup = '', physicalFunction = ''] = await Promise.all(['driver', 'iommu_group', 'physfn'].map(link))
  const virtualLinks = (await namesIn(folder)).filter((name) => /^virtfn\d+$/.test(name))
  const virtualFunctions = await Promise.all(virtualLinks.map(link))
  return {
    address,
    vendorId: hex(vendor),
    deviceId: hex(device),
    classId: hex(classId),
    driver,
    iommuGroup,
    physicalFunction,
    virtualFunctions: virtualFunctions.filter(Boolean).toSorted(),
    hostUses: bootVga === '1' ? ['shows the host’s console'] : [],
  }
}

function hex(text: string): string {
  return text.replace(/^0x/, '').toLowerCase()
}

import type { PciNaming } from '../domain/pci.ts'
import { textOf } from './read.ts'

/** Names for the base classes of the PCI specification (Code and ID Assignment), for hosts without the package `pci.ids`. */
const baseClasses: Record<string, string> = {
  '00': 'Unclassified device',
  '01': 'Mass storage controller',
  '02': 'Network controller',
  '03': 'Display controller',
  '04': 'Multimedia controller',
  '05': 'Memory controller',
  '06': 'Bridge',
  '07': 'Communication controller',
  '08': 'Generic system peripheral',
  '09': 'Input device controller',
  '0a': 'Docking station',
  '0b': 'Processor',
  '0c': 'Serial bus controller',
  '0d': 'Wireless controller',
  '0e': 'Intelligent controller',
  '0f': 'Satellite communications controller',
  '10': 'Encryption controller',
  '11': 'Signal processing controller',
  '12': 'Processing accelerators',
  '13': 'Non-Essential Instrumentation',
}

type Tables = { vendors: Map<string, string>; devices: Map<string, string>; classes: Map<string, string> }

/**
 * Names from a `pci.ids` file; without one, base classes alone are named.
 *
 * @param file default where Debian's package `pci.ids` puts it
 */
export async function pciNames(file = '/usr/share/misc/pci.ids'): Promise<PciNaming> {
  const { vendors, devices, classes } = parsePciIds(await textOf(file))
  return {
    namesOf: ({ vendorId, deviceId, classId }) => ({
      vendorName: vendors.get(vendorId) ?? '',
      deviceName: devices.get(`${vendorId}:${deviceId}`) ?? '',
      className: classes.get(classId.slice(0, 4)) ?? classes.get(classId.slice(0, 2)) ?? baseClasses[classId.slice(0, 2)] ?? '',
    }),
  }
}

/** Vendors and classes begin a line; their devices and subclasses follow behind one tab; two tabs are finer than what is shown. */
function parsePciIds(text: string): Tables {
  const tables: Tables = { vendors: new Map(), devices: new Map(), classes: new Map() }
  let vendor = ''
  let baseClass = ''
  for (const line of text.split('\n')) {
    const top = /^(C )?([0-9a-f]{2,4}) {2}(.+)$/.exec(line)
    const below = /^\t([0-9a-f]{2,4}) {2}(.+)$/.exec(line)
    if (top?.[2] && top[3]) {
      ;[vendor, baseClass] = top[1] ? ['', top[2]] : [top[2], '']
      ;(vendor ? tables.vendors : tables.classes).set(top[2], top[3])
    } else if (below?.[1] && below[2]) {
      if (vendor) tables.devices.set(`${vendor}:${below[1]}`, below[2])
      else tables.classes.set(`${baseClass}${below[1]}`, below[2])
    }
  }
  return tables
}

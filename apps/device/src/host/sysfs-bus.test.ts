import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recordHost, type RecordedHost } from '../../test/recorded-host.ts'
import { obstaclesOf } from '../domain/obstacles.ts'
import type { PciFunction } from '../domain/pci.ts'
import { pciNames } from './pci-names.ts'
import { sysfsBus } from './sysfs-bus.ts'

let host: RecordedHost
let functions: PciFunction[]
beforeAll(async () => {
  host = recordHost()
  functions = await sysfsBus(host).scan()
})
afterAll(() => host.remove())

const fn = (address: string): PciFunction => functions.find((one) => one.address === address) ?? expect.fail(`no ${address}`)
const reasons = (address: string) => {
  const all = functions.map((one) => ({ ...one, present: true }))
  return obstaclesOf({ ...fn(address), present: true }, all).map(({ reason, addresses }) => [reason, ...addresses].join(' '))
}

describe('a recorded host', () => {
  it('shows ids, driver and group of every function', () => {
    expect(functions).toHaveLength(13)
    expect(fn('0000:01:00.1')).toEqual({
      address: '0000:01:00.1',
      vendorId: '10de',
      deviceId: '1aef',
      classId: '040300',
      driver: 'snd_hda_intel',
      iommuGroup: '1',
      virtualFunctions: [],
      physicalFunction: '',
      hostUses: [],
    })
  })

  it('says what the host does with its disks, through partitions, volumes and NVMe paths', () => {
    expect(fn('0000:00:17.0').hostUses).toEqual([
      'carries the mounted file system /',
      'carries the mounted file system /boot/efi',
      'carries swap',
    ])
    expect(fn('0000:00:18.0').hostUses).toEqual(['carries the mounted file system /srv/with space', 'is part of an active volume (dm-0)'])
    expect(fn('0000:00:19.0').hostUses).toEqual(['carries swap'])
    expect(fn('0000:00:1a.0').hostUses).toEqual([])
  })

  it('says which card carries the default route, also below a bridge, and which shows the console', () => {
    expect(fn('0000:00:1f.0').hostUses).toEqual(['carries the default route (br0)'])
    expect(fn('0000:00:02.0').hostUses).toEqual(['shows the host’s console'])
  })

  it('gives all obstacles of a device at once', () => {
    expect(reasons('0000:01:00.0')).toEqual(['GROUP_NOT_VIABLE 0000:01:00.1'])
    expect(reasons('0000:01:00.1')).toEqual([])
    expect(reasons('0000:00:1c.0')).toEqual(['BRIDGE', 'GROUP_NOT_VIABLE 0000:01:00.1'])
    expect(reasons('0000:00:17.0')).toEqual(['HOST_CRITICAL_DEVICE'])
    expect(reasons('0000:00:1a.0')).toEqual([])
    expect(reasons('0000:03:00.0')).toEqual(['ACTIVE_VFS 0000:03:02.0 0000:03:02.1'])
    expect(reasons('0000:03:02.0')).toEqual([])
  })

  it('knows which physical function a virtual one belongs to', () => {
    expect(fn('0000:03:02.1').physicalFunction).toBe('0000:03:00.0')
    expect(fn('0000:03:00.0').virtualFunctions).toEqual(['0000:03:02.0', '0000:03:02.1'])
  })

  it('is an empty one where there is no PCI bus', async () => {
    expect(await sysfsBus({ sys: host.at('nowhere'), proc: host.at('nowhere') }).scan()).toEqual([])
  })
})

describe('names', () => {
  const ids = { vendorId: '8086', deviceId: '1533', classId: '020000' }

  it('come from pci.ids, devices only under their vendor', async () => {
    host.write(
      'pci.ids',
      '# comment\n8086  Intel Corporation\n\t1533  I210 Gigabit\n\t\t1028 0001  Card\n1af4  Red Hat\n\t1041  Virtio\nC 02  Network\n\t00  Ethernet\n',
    )
    const names = await pciNames(host.at('pci.ids'))
    expect(names.namesOf(ids)).toEqual({ vendorName: 'Intel Corporation', deviceName: 'I210 Gigabit', className: 'Ethernet' })
    expect(names.namesOf({ vendorId: '8086', deviceId: '1041', classId: '028000' })).toMatchObject({ deviceName: '', className: 'Network' })
  })

  it('are empty where unknown, but for the class', async () => {
    const names = await pciNames(host.at('missing'))
    expect(names.namesOf(ids)).toEqual({ vendorName: '', deviceName: '', className: 'Network controller' })
  })
})

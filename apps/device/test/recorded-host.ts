import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

type Recorded = { vendor: string; device: string; class: string; driver?: string; group?: number; boot_vga?: string }

export type RecordedHost = ReturnType<typeof recordHost>

/**
 * A host as sysfs and procfs show it: folders below devices/, and links to them from bus/, class/, dev/ and kernel/. It has a card whose group is
 * shared, a boot disk, a disk under LVM, an NVMe disk with swap, a free disk, a card with the default route below a bridge, and one with virtual functions.
 */
export function recordHost() {
  const root = mkdtempSync(path.join(tmpdir(), 'berth-sysfs-'))
  const at = (...parts: string[]) => path.join(root, ...parts)
  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(at(file)), { recursive: true })
    writeFileSync(at(file), `${text}\n`)
  }
  const link = (name: string, target: string) => {
    mkdirSync(path.dirname(at(name)), { recursive: true })
    symlinkSync(path.relative(path.dirname(at(name)), at(target)), at(name))
  }

  function pci(folder: string, { driver, group, ...attributes }: Recorded): string {
    const device = `sys/devices/${folder}`
    const address = path.basename(folder)
    for (const [name, text] of Object.entries(attributes)) write(`${device}/${name}`, text)
    link(`sys/bus/pci/devices/${address}`, device)
    if (driver) mkdirSync(at('sys/bus/pci/drivers', driver), { recursive: true })
    if (driver) link(`${device}/driver`, `sys/bus/pci/drivers/${driver}`)
    if (group !== undefined) link(`sys/kernel/iommu_groups/${group}/devices/${address}`, device)
    if (group !== undefined) link(`${device}/iommu_group`, `sys/kernel/iommu_groups/${group}`)
    return device
  }

  function block(folder: string, number: string, { holders = [] as string[], slaves = [] as string[] } = {}): void {
    write(`${folder}/dev`, number)
    link(`sys/dev/block/${number}`, folder)
    link(`sys/class/block/${path.basename(folder)}`, folder)
    for (const name of holders) link(`${folder}/holders/${name}`, `sys/devices/virtual/block/${name}`)
    for (const target of slaves) link(`${folder}/slaves/${path.basename(target)}`, target)
  }

  const top = 'pci0000:00'
  pci(`${top}/0000:00:00.0`, { vendor: '0x8086', device: '0x29c0', class: '0x060000', group: 0 })
  const port = `${top}/0000:00:1c.0`
  pci(port, { vendor: '0x8086', device: '0x3420', class: '0x060400', driver: 'pcieport', group: 1 })
  pci(`${port}/0000:01:00.0`, { vendor: '0x10de', device: '0x2204', class: '0x030000', group: 1, boot_vga: '0' })
  pci(`${port}/0000:01:00.1`, { vendor: '0x10de', device: '0x1aef', class: '0x040300', driver: 'snd_hda_intel', group: 1 })
  pci(`${top}/0000:00:02.0`, { vendor: '0x8086', device: '0x0412', class: '0x030000', driver: 'i915', group: 2, boot_vga: '1' })

  const disk = pci(`${top}/0000:00:17.0`, { vendor: '0x8086', device: '0xa102', class: '0x010601', driver: 'ahci', group: 3 })
  const sda = `${disk}/ata1/host0/target0:0:0/0:0:0:0/block/sda`
  block(sda, '8:0')
  block(`${sda}/sda1`, '8:1')
  block(`${sda}/sda2`, '8:2')
  const lvm = pci(`${top}/0000:00:18.0`, { vendor: '0x1af4', device: '0x1042', class: '0x018000', driver: 'virtio-pci', group: 4 })
  const dm = 'sys/devices/virtual/block/dm-0'
  block(`${lvm}/virtio0/block/vda`, '254:0', { holders: ['dm-0'] })
  block(dm, '253:0', { slaves: [`${lvm}/virtio0/block/vda`] })
  write(`${dm}/dm/name`, 'vg-data')
  const nvme = pci(`${top}/0000:00:19.0`, { vendor: '0x144d', device: '0xa80a', class: '0x010802', driver: 'nvme', group: 5 })
  mkdirSync(at(`${nvme}/nvme/nvme0`), { recursive: true })
  const subsystem = 'sys/devices/virtual/nvme-subsystem/nvme-subsys0'
  block(`${subsystem}/nvme0n1`, '259:0')
  link(`${subsystem}/nvme0`, `${nvme}/nvme/nvme0`)
  pci(`${top}/0000:00:1a.0`, { vendor: '0x8086', device: '0xa103', class: '0x010601', driver: 'ahci', group: 6 })

  const nic = pci(`${top}/0000:00:1f.0`, { vendor: '0x8086', device: '0x1533', class: '0x020000', driver: 'igb', group: 7 })
  mkdirSync(at(`${nic}/net/eth0`), { recursive: true })
  link('sys/class/net/eth0', `${nic}/net/eth0`)
  link(`${nic}/net/eth0/device`, nic)
  mkdirSync(at('sys/devices/virtual/net/br0/brif/eth0'), { recursive: true })
  link('sys/class/net/br0', 'sys/devices/virtual/net/br0')

  const pf = pci(`${top}/0000:03:00.0`, { vendor: '0x8086', device: '0x1572', class: '0x020000', driver: 'i40e', group: 8 })
  for (const [n, address] of ['0000:03:02.0', '0000:03:02.1'].entries()) {
    const vf = pci(`${top}/${address}`, {
      vendor: '0x8086',
      device: '0x154c',
      class: '0x020000',
      driver: n ? 'iavf' : 'vfio-pci',
      group: 9 + n,
    })
    link(`${pf}/virtfn${n}`, vf)
    link(`${vf}/physfn`, pf)
  }
  write(
    'proc/1/mountinfo',
    [
      '22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw',
      '23 22 8:1 / /boot/efi rw,relatime - vfat /dev/sda1 rw',
      '24 22 0:40 / /srv/with\\040space rw - btrfs /dev/mapper/vg-data rw',
      '25 22 0:5 / /proc rw - proc proc rw',
    ].join('\n'),
  )
  write('proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/nvme0n1 partition\t1\t0\t-2\n/swapfile file\t1\t0\t-3')
  write(
    'proc/1/net/route',
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\nbr0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0',
  )
  write('proc/1/net/ipv6_route', `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 ${'0'.repeat(32)} ffffffff 00000001 00000000 00200200       lo`)

  return { sys: at('sys'), proc: at('proc'), at, write, pci, remove: () => rmSync(root, { recursive: true, force: true }) }
}

import path from 'node:path'
import { type BlockUse, blockUses } from './block-uses.ts'
import { namesIn, resolved, textOf } from './read.ts'

export type UseSources = { sys: string; proc: string }

const pciAddress = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/

/** What the host itself does with its PCI functions, by address: file systems, swap, volumes made of disks, default routes. */
export async function hostUses(sources: UseSources): Promise<Map<string, string[]>> {
  const uses = new Map<string, string[]>()
  const add = ({ device, use }: BlockUse): void => {
    const address = functionOf(device)
    if (!address) return
    const known = uses.get(address) ?? []
    if (!known.includes(use)) uses.set(address, [...known, use])
  }
  for (const use of await blockUses(sources)) add(use)
  for (const use of await routeUses(sources)) add(use)
  return uses
}

/** The function a device in sysfs belongs to: the last PCI address of its path (those before it are bridges). */
function functionOf(device: string): string | undefined {
  return device.split('/').findLast((part) => pciAddress.test(part))
}

async function routeUses({ sys, proc }: UseSources): Promise<BlockUse[]> {
  const found: BlockUse[] = []
  for (const name of await defaultInterfaces(proc)) {
    for (const device of await hardwareOf(path.join(sys, 'class/net'), name))
      found.push({ device, use: `carries the default route (${name})` })
  }
  return found
}

async function defaultInterfaces(proc: string): Promise<Set<string>> {
  const names = new Set<string>()
  for (const line of (await textOf(path.join(proc, '1/net/route'))).split('\n')) {
    const [name, destination, , flags, , , , mask] = line.split(/\s+/)
    if (name && destination === '00000000' && mask === '00000000' && Number.parseInt(flags ?? '', 16) & 1) names.add(name)
  }
  for (const line of (await textOf(path.join(proc, '1/net/ipv6_route'))).split('\n')) {
    const fields = line.trim().split(/\s+/)
    const name = fields[9]
    if (name && name !== 'lo' && fields[1] === '00' && /^0{32}$/.test(fields[0] ?? '')) names.add(name)
  }
  return names
}

/** Hardware below an interface: itself, or what bridges, bonds and VLANs stand on. */
async function hardwareOf(folder: string, name: string, seen = new Set<string>()): Promise<string[]> {
  if (seen.has(name)) return []
  seen.add(name)
  const device = await resolved(path.join(folder, name, 'device'))
  if (device) return [device]
  const names = await namesIn(path.join(folder, name))
  const lower = names.filter((entry) => entry.startsWith('lower_')).map((entry) => entry.slice('lower_'.length))
  const ports = await namesIn(path.join(folder, name, 'brif'))
  return (await Promise.all([...lower, ...ports].map((below) => hardwareOf(folder, below, seen)))).flat()
}

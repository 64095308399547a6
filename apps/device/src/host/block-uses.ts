import path from 'node:path'
import { namesIn, resolved, textOf } from './read.ts'

/** One use of one device; `device` is its folder in sysfs. */
export type BlockUse = { device: string; use: string }

/** What the host does with its disks: mounted file systems, swap, and volumes (LVM, RAID, encryption) that hold a disk. */
export async function blockUses({ sys, proc }: { sys: string; proc: string }): Promise<BlockUse[]> {
  const mounts = parseMounts(await textOf(path.join(proc, '1/mountinfo')))
  const found: BlockUse[] = []
  for (const { number, source, mountPoint } of mounts) {
    const use = `carries the mounted file system ${mountPoint}`
    for (const device of await disksOf(await blockFolder(sys, number, source))) found.push({ device, use })
  }
  for (const line of (await textOf(path.join(proc, 'swaps'))).split('\n').slice(1)) {
    const [file, type] = line.split(/\s+/)
    if (!file) continue
    const mount = type === 'file' ? mountOf(file, mounts) : undefined
    const folder = await blockFolder(sys, mount?.number ?? '', mount?.source ?? file)
    for (const device of await disksOf(folder)) found.push({ device, use: 'carries swap' })
  }
  return [...found, ...(await held(sys))]
}

type Mount = { number: string; source: string; mountPoint: string }

function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const [, , number, , mountPoint] = before.split(' ')
    const source = after.split(' ')[1] ?? ''
    return number && mountPoint ? [{ number, source: unescape(source), mountPoint: unescape(mountPoint) }] : []
  })
}

/** The kernel writes spaces, tabs, line ends and backslashes as octal. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

function mountOf(file: string, mounts: Mount[]): Mount | undefined {
  const holds = ({ mountPoint }: Mount) => mountPoint === '/' || file === mountPoint || file.startsWith(`${mountPoint}/`)
  return mounts.filter(holds).toSorted((a, b) => b.mountPoint.length - a.mountPoint.length)[0]
}

/** Folder of a block device by number; by its name in /dev where the number is the file system's own (btrfs). */
async function blockFolder(sys: string, number: string, source: string): Promise<string> {
  const byNumber = number ? await resolved(path.join(sys, 'dev/block', number)) : ''
  if (byNumber || !source.startsWith('/dev/')) return byNumber
  return (await resolved(path.join(sys, 'class/block', path.basename(source)))) || mapped(sys, source)
}

/** `/dev/mapper/<name>` is a link made by udev: in sysfs the name is an attribute. */
async function mapped(sys: string, source: string): Promise<string> {
  if (!source.startsWith('/dev/mapper/')) return ''
  for (const name of await namesIn(path.join(sys, 'class/block'))) {
    const mapperName = await textOf(path.join(sys, 'class/block', name, 'dm/name'))
    if (mapperName && `/dev/mapper/${mapperName}` === source) return resolved(path.join(sys, 'class/block', name))
  }
  return ''
}

/** The disks below a block device: itself, or those that a volume (dm, md) is made of, or all paths of an NVMe namespace. */
async function disksOf(folder: string, seen = new Set<string>()): Promise<string[]> {
  if (!folder || seen.has(folder)) return []
  seen.add(folder)
  const slaves = await namesIn(path.join(folder, 'slaves'))
  if (slaves.length > 0) {
    const below = slaves.map(async (name) => disksOf(await resolved(path.join(folder, 'slaves', name)), seen))
    return (await Promise.all(below)).flat()
  }
  const [, subsystem] = /^(.*\/nvme-subsystem\/[^/]+)(?:\/|$)/.exec(folder) ?? []
  if (!subsystem) return [folder]
  const controllers = (await namesIn(subsystem)).filter((name) => /^nvme\d+$/.test(name))
  return Promise.all(controllers.map((name) => resolved(path.join(subsystem, name))))
}

/** Disks and partitions that an active volume holds, mounted or not. */
async function held(sys: string): Promise<BlockUse[]> {
  const found: BlockUse[] = []
  for (const name of await namesIn(path.join(sys, 'class/block'))) {
    const folder = await resolved(path.join(sys, 'class/block', name))
    const holders = await namesIn(path.join(folder, 'holders'))
    if (holders.length === 0) continue
    const use = `is part of an active volume (${holders.join(', ')})`
    for (const device of await disksOf(folder)) found.push({ device, use })
  }
  return found
}

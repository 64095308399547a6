import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import path from 'node:path'
import type { VmmProcess, VmPlace } from '../domain/machine.ts'
import type { Loss } from '../domain/ports.ts'

const gone = ' (deleted)'

/** What was taken away under a VMM, by what it has open: files of the data folder that have no name any more, taps that are no more. */
export async function lossesOf(place: VmPlace, { pid }: VmmProcess): Promise<Loss[]> {
  const dataDir = path.dirname(path.dirname(place.folder))
  const names = await orElse(readdir(`/proc/${pid}/fd`), [])
  const losses = await Promise.all(names.map((name) => lossAt(pid, name, dataDir)))
  return [...(await folderLoss(place)), ...losses.filter((loss) => loss !== undefined)]
}

/** The loss of the VM's own folder. */
export async function folderLoss({ folder }: VmPlace): Promise<Loss[]> {
  if (await isThere(folder)) return []
  return [{ reason: 'FOLDER_LOST', message: 'its folder was deleted: how it ends will not be known; its next start makes a new one' }]
}

/** The loss of the VMM's sockets, told by one of them; the shim makes its own again. */
export async function socketsLoss(socket: string): Promise<Loss[]> {
  if (await isThere(socket)) return []
  const until = 'its next start makes new ones; until then, once the service has begun anew, it can be told nothing but to end'
  return [{ reason: 'SOCKETS_LOST', message: `the sockets of its VMM were deleted: ${until}` }]
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
}

async function lossAt(pid: number, name: string, dataDir: string): Promise<Loss | undefined> {
  const target = await orElse(readlink(`/proc/${pid}/fd/${name}`), '')
  if (target.endsWith(gone) && target.startsWith(`${dataDir}/`)) {
    const file = path.basename(target.slice(0, -gone.length))
    return { reason: 'FILE_LOST', message: `${file} was deleted while it is in use: what is in it lasts until the VM ends` }
  }
  if (target !== '/dev/net/tun') return undefined
  const interfaceName = /^iff:[ \t]*(.*)$/m.exec(await orElse(readFile(`/proc/${pid}/fdinfo/${name}`, 'utf8'), ''))?.[1]
  if (interfaceName !== '') return undefined
  return { reason: 'TAP_LOST', message: 'a tap was deleted under it: that interface is cut until the VM is started again' }
}

/** Of a process that ended meanwhile nothing is lost. */
async function orElse<T>(read: Promise<T>, instead: T): Promise<T> {
  return read.catch(() => instead)
}

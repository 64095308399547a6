import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { newId } from '@berth/db'
import { failedPrecondition } from '@berth/errors'

export type HostInfo = {
  /** `hst_` and a ULID: the host's id in every row. */
  id: string
  /** Of /etc/machine-id; empty where the machine has none. */
  machineId: string
}

/**
 * Reads `<data>/host.json`, or makes it when there is none: whoever comes first wins, all get the same.
 *
 * @param machineIdFile default /etc/machine-id
 * @throws FailedPrecondition(`COPIED_DATA_FOLDER`) when the folder was made on another machine: two hosts would act under one id
 */
export async function hostInfo(dataDir: string, machineIdFile = '/etc/machine-id'): Promise<HostInfo> {
  const file = path.join(dataDir, 'host.json')
  const machineId = await readFile(machineIdFile, 'utf8').then(
    (text) => text.trim(),
    () => '',
  )
  const info = (await read(file)) ?? (await make(file, machineId))
  if (info.machineId !== '' && machineId !== '' && info.machineId !== machineId)
    throw failedPrecondition('COPIED_DATA_FOLDER', `${file} was made on another machine; remove it to make this a new host`)
  return info
}

async function make(file: string, machineId: string): Promise<HostInfo> {
  await mkdir(path.dirname(file), { recursive: true })
  const temporary = `${file}.${randomBytes(6).toString('hex')}`
  const info: HostInfo = { id: newId('hst'), machineId }
  await writeFile(temporary, `${JSON.stringify(info)}\n`, { flag: 'wx', mode: 0o644, flush: true })
  // A link appears whole or not at all, and never over another's.
  await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(temporary)
  return (await read(file)) as HostInfo
}

async function read(file: string): Promise<HostInfo | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as HostInfo
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

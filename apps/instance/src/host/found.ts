import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { processIdentity, programs } from '@berth/host'
import type { FoundVm } from '../domain/ports.ts'
import { cgroupPrefix, type Folders } from '../domain/place.ts'
import { cgroupsNamed } from './cgroup.ts'

const instanceFolder = /^ins_[0-9a-hjkmnp-tv-z]{26}$/
const runFolder = /^[0-9a-hjkmnp-tv-z]{10}$/

/** What the VMs of these folders have on the host: processes, run folders, control groups. */
export async function found({ dataDir, runDir, host }: Folders): Promise<FoundVm[]> {
  const [processes, runs, groups] = await Promise.all([processesOf(dataDir), names(runDir), cgroupsNamed(cgroupPrefix(host))])
  return [
    ...processes,
    ...runs.filter((name) => runFolder.test(name)).map((name): FoundVm => ({ kind: 'socket', name: path.join(runDir, name), short: name })),
    ...groups.map((name): FoundVm => ({ kind: 'cgroup', name, short: name.slice(-10) })),
  ]
}

/** Shims by the launch file they were given, VMMs by the home that their shim gave them: both lie in the service's folder. */
async function processesOf(dataDir: string): Promise<FoundVm[]> {
  const all = await Promise.all((await Array.fromAsync(programs())).map((pid) => processOf(pid, dataDir)))
  return all.filter((one) => one !== undefined)
}

async function processOf(pid: number, dataDir: string): Promise<FoundVm | undefined> {
  if (!(await recognised(pid, dataDir))) return undefined
  const process = processIdentity(pid)
  // Recognised again, so that what is identified is what was recognised.
  const again = process && (await recognised(pid, dataDir))
  return again && { ...again, process }
}

async function recognised(pid: number, dataDir: string): Promise<FoundVm | undefined> {
  const [command, environment] = await Promise.all([words(`/proc/${pid}/cmdline`), words(`/proc/${pid}/environ`)])
  const named = path.basename(command[0] ?? '') === 'berth-shim' ? path.dirname(command.at(-1) ?? '') : homeOf(environment)
  if (path.dirname(named) !== dataDir || !instanceFolder.test(path.basename(named))) return undefined
  return { kind: 'process', name: `${path.basename(command[0] ?? '')} ${pid}`, short: named.slice(-10) }
}

function homeOf(environment: string[]): string {
  return environment.find((entry) => entry.startsWith('HOME='))?.slice('HOME='.length) ?? ''
}

async function words(file: string): Promise<string[]> {
  // A process that has ended meanwhile, or whose environment is not ours to read, is none of ours.
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.split('\0').filter(Boolean)
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { JournalEntrySchema } from '@berth/proto/berth/shim/v1/shim_pb.ts'
import { create, toBinary } from '@bufbuild/protobuf'

/** What tells a process from every other of this boot: pid and start time in clock ticks; undefined when it is gone or a zombie. */
export function identityOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${pid} ${fields[19]}`
  } catch {
    return undefined
  }
}

/** The shim that serves an instance, told by its launch file; undefined when there is none. */
export function shimOf(instanceFolder: string): number | undefined {
  const file = path.join(instanceFolder, 'launch.json')
  return pids().find((pid) => commandOf(pid)[0] === 'berth-shim' && commandOf(pid).includes(file))
}

/** What a process has open: the target of every descriptor. */
export function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => target(`/proc/${pid}/fd/${fd}`))
  } catch {
    return []
  }
}

/** Every process of this data folder: services, their helpers, the supervisor. */
export function processesOf(dataDir: string): number[] {
  return pids().filter((pid) => environmentOf(pid).includes(`BERTH_DATA_DIR=${dataDir}`))
}

export function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

export function commandOf(pid: number): string[] {
  return words(`/proc/${pid}/cmdline`)
}

function environmentOf(pid: number): string[] {
  return words(`/proc/${pid}/environ`)
}

function words(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\0')
  } catch {
    return []
  }
}

function target(link: string): string[] {
  try {
    return [readlinkSync(link)]
  } catch {
    return []
  }
}

/** Folder of a VM's group in version 1 of the memory hierarchy. */
export function cgroupOf(id: string): string {
  const root = '/sys/fs/cgroup/memory'
  const found = readdirSync(root).find((name) => name.startsWith('berth-') && name.endsWith(id.slice(-10)))
  return path.join(root, found ?? 'none')
}

/** A journal's entry as a shim of the old boot would have written it. */
export function journalStart(pid: number, startTicks: number): Buffer {
  const event = { case: 'started' as const, value: { pid, startTicks: BigInt(startTicks), hostBootId: 'the-boot-before' } }
  const bytes = toBinary(JournalEntrySchema, create(JournalEntrySchema, { seq: 1_000n, event }))
  const head = Buffer.alloc(4)
  head.writeUInt32BE(bytes.length)
  return Buffer.concat([head, bytes])
}

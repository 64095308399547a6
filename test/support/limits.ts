import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** A process and its children, e.g. the one that runs a service's commands. */
export function family(pid: number): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return [pid, ...all.filter((name) => parentOf(name) === pid).map(Number)]
}

function parentOf(pid: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1])
  } catch {
    return 0
  }
}

/** Leaves a running process so many free file descriptors; what is answered takes the limit away. */
export function limitFiles(pid: number, more: number): () => void {
  const limit = (soft: number) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`])
  const before = Number(/Max open files\s+(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1])
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let soft = 0
  for (let free = 0; free < more || open.has(soft); soft += 1) if (!open.has(soft)) free += 1
  limit(soft)
  return () => limit(before)
}

/** A control group of version 1 for processes that are to lack something; disposing lets them go. */
export function limitedGroup(controller: 'pids' | 'memory', pids: readonly number[], limit: (folder: string) => void): Disposable {
  const root = path.join('/sys/fs/cgroup', controller)
  const folder = path.join(root, `berth-test-${process.pid}`)
  mkdirSync(folder)
  for (const pid of pids) writeFileSync(path.join(folder, 'cgroup.procs'), String(pid))
  limit(folder)
  return {
    [Symbol.dispose]() {
      for (const pid of readFileSync(path.join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
        writeFileSync(path.join(root, 'cgroup.procs'), pid)
      }
      rmdirSync(folder)
    },
  }
}

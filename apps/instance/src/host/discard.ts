import { readFile, rm } from 'node:fs/promises'
import { failedPrecondition, unavailable } from '@berth/errors'
import { endProcess } from '@berth/host'
import type { FoundVm } from '../domain/ports.ts'
import { clearCgroup } from './cgroup.ts'

/** A VMM that is asked to end flushes its disks; a shim writes down how its VMM ended. */
const graceMs = 3_000

/**
 * Ends or removes what `found` told, and nothing else; nothing when it is gone.
 *
 * @throws Unavailable(`PROCESS_STUCK`), FailedPrecondition(`IN_USE`) when somebody listens in a run folder: a VM of another installation may
 */
export async function discard({ kind, name, process }: FoundVm, signal: AbortSignal): Promise<void> {
  if (kind === 'process' && process && !(await endProcess(process, { graceMs }))) throw unavailable('PROCESS_STUCK', 'it does not end')
  if (kind === 'cgroup') await clearCgroup(name, signal)
  if (kind !== 'socket') return
  if (await somebodyListensIn(name)) throw failedPrecondition('IN_USE', 'somebody listens on a socket in it')
  await rm(name, { recursive: true, force: true })
}

async function somebodyListensIn(folder: string): Promise<boolean> {
  const sockets = await readFile('/proc/net/unix', 'utf8')
  return sockets.split('\n').some((line) => line.includes(` ${folder}/`))
}

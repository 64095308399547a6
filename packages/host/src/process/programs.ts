import { readdir } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { isProgram } from './identity.ts'

/** Time for which the event loop may be held up, in milliseconds. */
const sliceMs = 2

/**
 * Pids of all that runs a program: neither kernel threads, most of what there is on a small host, which have no command line, no environment and no
 * files, nor what has ended. What ends meanwhile may be among them.
 */
export async function* programs(procDir = '/proc'): AsyncGenerator<number> {
  let since = performance.now()
  for (const name of await readdir(procDir)) {
    const pid = Number(name)
    if (Number.isInteger(pid) && isProgram(pid, procDir)) yield pid
    if (performance.now() - since < sliceMs) continue
    await setImmediate()
    since = performance.now()
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, type ProcessIdentity } from './identity.ts'

/** Sends a signal to exactly this process; false when it is gone already. The start time is compared right before. */
export function killProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  return isAlive(identity) && send(identity.pid, signal)
}

/** Ends the group that this process leads. False when its leader is gone: a group number may then belong to others. */
export function killGroup(leader: ProcessIdentity, signal: NodeJS.Signals = 'SIGKILL'): boolean {
  return isAlive(leader) && send(-leader.pid, signal)
}

/**
 * Asks a process to end, then makes it.
 *
 * @param options.graceMs time between SIGTERM and SIGKILL; 0 kills at once
 * @returns whether it is gone; false when even SIGKILL did not end it within 5 s (a process stuck in the kernel)
 */
export async function endProcess(identity: ProcessIdentity, { graceMs }: { graceMs: number }): Promise<boolean> {
  if (graceMs > 0 && killProcess(identity, 'SIGTERM') && (await goneWithin(identity, graceMs))) return true
  killProcess(identity, 'SIGKILL')
  return goneWithin(identity, 5_000)
}

async function goneWithin(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs
  while (isAlive(identity)) {
    if (performance.now() >= end) return false
    await delay(10)
  }
  return true
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

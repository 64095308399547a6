import type { Runner } from '@berth/host'

/** Lets a VM's uid open /dev/kvm by an entry of its own in the device's access list; a second entry for a uid is the first. */
export async function allowKvm(runner: Runner, uid: number, signal: AbortSignal): Promise<void> {
  await runner.run(['setfacl', '-m', `u:${uid}:rw`, '/dev/kvm'], { timeoutMs: 5_000, signal })
}

/** The longest wait is so many times the one that is set, for each of the two reasons. */
const most = { crowd: 5, tcg: 2 }

/** An agent's wait on a host that boots more VMs at once than it has CPUs: as many times longer, at most five times. */
export function waitInCrowd(setMs: number, slots: number, cpus: number): number {
  return Math.round(setMs * Math.min(most.crowd, Math.max(1, slots / cpus)))
}

/** An agent's wait in a VM with this accelerator: without KVM a boot takes twice as long. */
export function waitWith(accelerator: string, waitMs: number): number {
  return accelerator === 'tcg' ? waitMs * most.tcg : waitMs
}

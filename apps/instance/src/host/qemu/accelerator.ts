import { access, constants } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProbeResult } from './probe.ts'

/** A probe that could not be made yet is made again after this. */
const againMs = 1_000

/** What VMs get as far as is known after so many milliseconds; TCG while KVM is still being tried. */
export type Chooser = (patienceMs: number) => Promise<ProbeResult>

/**
 * What VMs get. The probe begins when the service does, in the background; without /dev/kvm there is nothing to probe.
 *
 * @param probe asks the machine, see `probeKvm`; undefined when it cannot be asked yet
 * @param life ends with the service
 */
export function chooseAccelerator(
  probe: (signal: AbortSignal) => Promise<ProbeResult | undefined>,
  life: AbortSignal,
  device = '/dev/kvm',
): Chooser {
  const decided = decide()
  decided.catch(() => {})

  async function decide(): Promise<ProbeResult> {
    try {
      await access(device, constants.R_OK | constants.W_OK)
    } catch {
      return { accelerator: 'tcg', reason: `there is no ${device} that may be opened` }
    }
    for (;;) {
      // Whatever keeps it from being asked now (the image service is not up yet, say) may be over soon.
      const result = await probe(life).catch(() => undefined)
      if (result) return result
      await delay(againMs, undefined, { signal: life })
    }
  }

  return async (patienceMs) => {
    const timer = new AbortController()
    const late = delay(patienceMs, { accelerator: 'tcg', reason: 'KVM is still being tried' } as const, { signal: timer.signal })
    late.catch(() => {})
    try {
      return await Promise.race([decided, late])
    } finally {
      timer.abort()
    }
  }
}

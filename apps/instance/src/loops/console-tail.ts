import type { VmPlace } from '../domain/machine.ts'
import { printable } from '../domain/printable.ts'
import type { InstanceContext } from './context.ts'

const tailBytes = 4096
const limitMs = 2_000

/** The last 4 KiB of a console, escaped; empty when it cannot be read: it is only there to explain something else. */
export async function consoleTail(ctx: InstanceContext, place: VmPlace): Promise<string> {
  const pieces: Uint8Array[] = []
  try {
    for await (const { data } of ctx.hypervisor.console(place, { offset: 0, tailBytes, follow: false }, AbortSignal.timeout(limitMs)))
      pieces.push(data)
  } catch {
    // What was read so far is better than nothing.
  }
  return printable(Buffer.concat(pieces).subarray(-tailBytes))
}
